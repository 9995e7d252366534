#include "verifiers/choices/choice_claims.h"

#include <optional>
#include <utility>

#include "verifiers/choices/choice_head.h"
#include "verifiers/choices/choice_target.h"

namespace lvrpo {
namespace {

// What follows a choice that the words before it claim.
enum class After { kFine, kDenied, kNoClaim };

// What a sentence says about the choice that is its subject.
struct Predicate {
  enum Judgement { kNone, kRight, kAnswer, kWrong, kNot } judgement = kNone;
  size_t end = 0;
  bool denied = false, guessed = false, would = false, also = false;
};

class Claims : private ChoiceReader {
 public:
  using ChoiceReader::ChoiceReader;

  std::vector<Claim> Read() && {
    for (size_t at = 0; at < size();) {
      if (at == sentence_.first && (at == 0 || term(at - 1) == Term::kLine)) ReadLine(at);
      if (EndsSentence(at)) {
        sentence_.first = ++at;
        continue;
      }
      if (IsTakenBack(at)) Say({Claim::Kind::kRetracted});
      const std::optional<Target> target = At(at);
      at = target ? Judge(*target) : at + 1;
    }
    return std::move(claims_);
  }

 private:
  // A line that is a choice, or begins with one.
  void ReadLine(size_t at) {
    while (Is(at, {Term::kOpen, Term::kQuote, Term::kDash, Term::kColon, Term::kOption, Term::kAnswer,
                   Term::kFiller}))
      ++at;
    std::optional<Target> target = At(at);
    if (!target || target->boxed || term(at) != Term::kLetter) return;
    size_t end = target->end;
    while (Is(end, {Term::kClose, Term::kQuote, Term::kStop, Term::kColon, Term::kComma})) ++end;
    if (term(end) == Term::kLine) {
      Say({Claim::Kind::kAsserted, target->with_text ? Strength::kListed : Strength::kAlone,
           target->letters});
      return;
    }
    const bool delimited =
        Is(target->end, {Term::kStop, Term::kColon, Term::kDash}) || term(target->end - 1) == Term::kClose;
    if (!delimited || target->small) return;
    for (size_t i = end; i < size() && term(i) != Term::kLine && i < end + kFarthest; ++i) {
      if (Is(i, {Term::kNot, Term::kWrong})) return;
    }
    Say({Claim::Kind::kDiscussed, Strength::kListed, target->letters});
  }

  void Say(Claim claim) {
    claims_.push_back(claim);
    sentence_.after_denial = claim.kind == Claim::Kind::kDenied || claim.kind == Claim::Kind::kRetracted;
  }

  // Adds what is said about the choice; returns the next token to read.
  size_t Judge(const Target& one) {
    Head head = HeadOf(*this, sentence_, one.begin);
    if (head.strength) ReadClause(*this, sentence_, &head);
    const Target target = Joined(one, head.strength.has_value() && !head.bare);
    if (IsAsked(target.end) || head.ignored) return target.end;
    if (one.boxed && !head.strength && !head.denied) return JudgeBox(target);
    size_t end = target.end;
    const After after = AfterTarget(target, head, &end);
    if (after == After::kDenied || (head.denied && after == After::kFine))
      return Deny(target, Strength::kAnswered, head.strength.value_or(Strength::kAnswered), end);
    if (after == After::kNoClaim || !head.strength) return Verdict(Joined(one, false));
    if (head.guessed || (head.would && GoesOnWithCondition(end))) return target.end;
    return Assert(target, one.boxed ? Strength::kBoxed : *head.strength, head, end);
  }

  // A box without words before it that refer to it.
  size_t JudgeBox(const Target& target) {
    const size_t said = claims_.size();
    const size_t end = Verdict(target);
    if (claims_.size() == said) Say({Claim::Kind::kAsserted, Strength::kBoxed, target.letters});
    for (size_t i = said; i < claims_.size(); ++i) claims_[i].strength = Strength::kBoxed;
    return end;
  }

  size_t Assert(const Target& target, Strength strength, const Head& head, size_t end) {
    if (head.instead) Say({Claim::Kind::kRetracted});
    Say({Claim::Kind::kAsserted, strength, target.letters, head.replaces});
    return end;
  }

  // A choice named in its place has the strength `instead`.
  size_t Deny(const Target& target, Strength strength, Strength instead, size_t end) {
    Say({Claim::Kind::kDenied, strength, target.letters});
    sentence_.denied_strength = instead;
    sentence_.denied_end = end;
    return end;
  }

  // Moves *end after what belongs to the choice.
  After AfterTarget(const Target& target, const Head& head, size_t* end) const {
    size_t at = target.end;
    const auto stop = [&](After after) {
      *end = at;
      return after;
    };
    if (target.small) {
      const bool ends =
          EndsSentence(at) || Is(at, {Term::kComma, Term::kBecause, Term::kBut, Term::kOpen, Term::kColon});
      return stop(ends ? After::kFine : After::kNoClaim);
    }
    at = BehindAside(at);
    while (Is(at, {Term::kEnd, Term::kFiller, Term::kOption, Term::kClose, Term::kQuote})) ++at;
    if (EndsSentence(at)) return stop(After::kFine);
    const bool before_reason = term(at) == Term::kBecause || term(at) == Term::kThus ||
                               (term(at) == Term::kComma && Is(at + 1, {Term::kBecause, Term::kNot}));
    switch (term(at)) {
      case Term::kNotBut:
        ++at;
        return stop(After::kDenied);
      case Term::kWrong:
        return stop(After::kDenied);
      case Term::kNot: {
        if (NamesNext(at + 1)) return stop(After::kFine);
        const bool east_asian = IsEastAsian(at);
        ++at;
        return stop(east_asian ? After::kDenied : After::kNoClaim);
      }
      case Term::kLink:
        if (EndsSentence(at + 1)) return stop(After::kFine);  // "dass die Antwort B ist"
        return stop(After::kNoClaim);
      case Term::kComma:
        if (term(at + 1) == Term::kIf) return stop(After::kNoClaim);
        break;
      case Term::kBecause:
      case Term::kThus:
      case Term::kOpen:
        return stop(After::kFine);
      case Term::kColon:
      case Term::kDash:
      case Term::kBut:
      case Term::kAnd:
      case Term::kOf:
      case Term::kThat:
      case Term::kRight:
      case Term::kHolds:
      case Term::kThen:
        break;
      default:
        return stop(After::kNoClaim);
    }
    return stop(head.bare && !head.denied && !target.with_text && !before_reason ? After::kNoClaim
                                                                                 : After::kFine);
  }

  // "B is right", "A and C are wrong", "B desu".
  size_t Verdict(const Target& target) {
    size_t at = target.begin;
    Predicate said;
    bool named = false;
    while (at > sentence_.first && Is(at - 1, {Term::kOpen, Term::kQuote, Term::kOption, Term::kFiller,
                                               Term::kAnswer, Term::kAlso, Term::kNot, Term::kFirst})) {
      --at;
      named = named || Is(at, {Term::kOption, Term::kAnswer});
      said.also = said.also || term(at) == Term::kAlso;
      said.denied = said.denied || term(at) == Term::kNot;
    }
    if (!BeginsClause(*this, sentence_, at)) return target.end;
    if ((target.small || target.pronoun) && !named && IsWord(target)) return target.end;
    Head head;
    head.strength = Strength::kMentioned;
    head.begin = at;
    ReadClause(*this, sentence_, &head);
    if (head.ignored) return target.end;
    said.denied = said.denied || head.denied;
    ReadPredicate(target.end, &said);
    switch (said.judgement) {
      case Predicate::kNone:
        return target.end;
      case Predicate::kNot:
        return Deny(target, Strength::kAnswered, Strength::kAnswered, said.end);
      case Predicate::kWrong:
        return said.denied ? target.end : Deny(target, Strength::kMentioned, Strength::kMentioned, said.end);
      case Predicate::kRight:
      case Predicate::kAnswer:
        break;
    }
    const Strength strength =
        said.judgement == Predicate::kAnswer ? Strength::kAnswered : Strength::kMentioned;
    if (said.denied) return Deny(target, strength, strength, said.end);
    if (said.guessed || head.guessed || (said.would && GoesOnWithCondition(said.end))) return target.end;
    if (said.also) head.replaces = head.instead = false;
    return Assert(target, strength, head, said.end);
  }

  // What is said about the choice that ends at `at`.
  void ReadPredicate(size_t at, Predicate* said) const {
    const size_t begin = at;
    bool link = false;
    for (at = BehindAside(at); Is(at, {Term::kOption, Term::kFiller, Term::kAlso, Term::kMaybe, Term::kNot,
                                       Term::kThus, Term::kLink, Term::kWould, Term::kNotBut, Term::kDash});
         ++at) {
      const Term here = term(at);
      said->end = at + 1;
      if (here == Term::kNotBut) {
        said->judgement = Predicate::kNot;
        return;
      }
      if (here == Term::kDash && !Is(at + 1, {Term::kRight, Term::kAnswer, Term::kWrong})) return;
      link = link || here == Term::kLink || here == Term::kWould || here == Term::kDash;
      said->denied = said->denied || here == Term::kNot;
      said->guessed = said->guessed || here == Term::kMaybe;
      said->would = said->would || here == Term::kWould;
      said->also = said->also || here == Term::kAlso;
    }
    said->end = at;
    if (at > begin && term(at - 1) == Term::kNot && IsEastAsian(at - 1) && !link) {
      said->judgement = Predicate::kNot;
    } else if (term(at) == Term::kEnd && at == begin) {
      while (term(at) == Term::kEnd) ++at;
      said->end = at;
      if (EndsSentence(at) || Is(at, {Term::kComma, Term::kBecause})) said->judgement = Predicate::kRight;
    } else if (term(at) == Term::kWrong && (link || said->denied || NeedsNoVerb(at))) {
      said->end = at + 1;
      said->judgement = Predicate::kWrong;
    } else {
      ReadPraise(at, link, said);
    }
  }

  // "right", "the right answer", "fits".
  void ReadPraise(size_t at, bool link, Predicate* said) const {
    Predicate::Judgement judgement = Predicate::kAnswer;
    size_t last = at;  // "dass B die richtige Antwort ist"
    while (Is(last, {Term::kRight, Term::kAnswer, Term::kOption, Term::kFiller})) ++last;
    const bool verb_last = term(last) == Term::kLink && EndsSentence(last + 1);
    if (Is(at, {Term::kRight, Term::kHolds})) {
      if (!link && !said->denied && term(at) == Term::kRight && !NeedsNoVerb(at) && !verb_last) return;
      const bool spatial = piece(at) == "right";
      while (Is(at, {Term::kRight, Term::kHolds, Term::kFinal, Term::kFiller, Term::kLink})) ++at;
      if (spatial && term(at) == Term::kOf) return;
      if (!Is(at, {Term::kAnswer, Term::kOption})) judgement = Predicate::kRight;
    } else if (term(at) != Term::kAnswer || !(link || verb_last)) {
      return;
    }
    while (Is(at, {Term::kAnswer, Term::kOption, Term::kRight, Term::kEnd, Term::kClose, Term::kQuote,
                   Term::kFiller}))
      ++at;
    said->end = at;
    if (term(at) == Term::kNot && !NamesNext(at + 1)) said->denied = true;
    if (term(at) == Term::kAlso) said->also = true;
    const bool goes_on =
        Is(at, {Term::kComma, Term::kBecause, Term::kBut, Term::kThus, Term::kAnd, Term::kAlso, Term::kOf,
                Term::kNot, Term::kColon, Term::kDash, Term::kOpen, Term::kThat, Term::kLink});
    const bool condition = term(at) == Term::kComma && term(at + 1) == Term::kIf;
    if ((EndsSentence(at) || goes_on) && !condition) said->judgement = judgement;
  }

  // "a", "e", "o", "y", "I": words of some language.
  bool IsWord(const Target& target) const {
    const char letter = token(target.begin).letter;
    return letter == 'A' || letter == 'E' || letter == 'I' || letter == 'O' || letter == 'U' || letter == 'Y';
  }

  // "Wait, no."
  bool IsTakenBack(size_t at) const {
    if (claims_.empty()) return false;
    size_t begin = sentence_.first;
    while (begin < at && Is(begin, {Term::kActually, Term::kBut, Term::kBack, Term::kFiller, Term::kComma}))
      ++begin;
    const bool begins = begin == at;
    if (term(at) == Term::kBack) {
      const bool apart =
          begins || Is(at - 1, {Term::kComma, Term::kDash, Term::kBut, Term::kOpen, Term::kNot, Term::kThus,
                                Term::kBack, Term::kBox, Term::kClose, Term::kQuote});
      return apart && (EndsSentence(at + 1) || Is(at + 1, {Term::kComma, Term::kDash, Term::kNot, Term::kBack,
                                                           Term::kIt, Term::kFiller, Term::kBut, Term::kColon,
                                                           Term::kThus, Term::kThat, Term::kActually}));
    }
    if (!begins) return false;
    if (Is(at, {Term::kNot, Term::kWrong})) {
      const bool answers = at > 0 && term(at - 1) == Term::kQuestion;
      return !answers && (EndsSentence(at + 1) || Is(at + 1, {Term::kComma, Term::kDash, Term::kBack}));
    }
    if (term(at) != Term::kIt) return false;
    bool no = false;
    for (++at; Is(at, {Term::kLink, Term::kFiller, Term::kNot}); ++at) no = no || term(at) == Term::kNot;
    const bool judged = no ? term(at) == Term::kRight : term(at) == Term::kWrong;
    return judged && (EndsSentence(at + 1) || Is(at + 1, {Term::kComma, Term::kDash}));
  }

  Sentence sentence_;
  std::vector<Claim> claims_;
};

}  // namespace

std::vector<Claim> ReadClaims(const ChoiceText& text, const ChoicePieces& choices) {
  return Claims(text, choices).Read();
}

}  // namespace lvrpo
