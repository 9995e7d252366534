#include "verifiers/choices/choice_claims.h"

#include <optional>
#include <utility>

#include "verifiers/choices/choice_after.h"
#include "verifiers/choices/choice_head.h"
#include "verifiers/choices/choice_predicate.h"
#include "verifiers/choices/choice_tail.h"
#include "verifiers/choices/choice_target.h"
#include "verifiers/lexicon/choice_lexicon.h"

namespace lvrpo {
namespace {

class Claims : private ChoiceReader {
 public:
  using ChoiceReader::ChoiceReader;

  std::vector<Claim> Read() && {
    ReadYesOrNo();
    for (size_t at = 0; at < size();) {
      if (at == sentence_.first && (at == 0 || term(at - 1) == Term::kLine)) ReadLine(at);
      if (EndsSentence(at)) {
        sentence_.first = ++at;
        continue;
      }
      if (IsTakenBack(at) || (term(at) == Term::kBox && token(at).no_choice)) Say({Claim::Kind::kRetracted});
      if (at == sentence_.first) ReadAlternative(at);
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

  // "Yes, there is a dog.", when that is a choice: without a but, a maybe or a condition.
  void ReadYesOrNo() {
    size_t at = 0;
    while (at < size() && Is(at, {Term::kOpen, Term::kQuote, Term::kLine})) ++at;
    const std::optional<Target> target = At(at);
    if (!target || !target->text || term(target->end) != Term::kComma || !IsYesOrNo(Text(*target))) return;
    if (IsAsked(at) || Denies(*this, target->end + 1)) return;
    for (size_t i = target->end; i < at + kFarthest && !EndsSentence(i); ++i) {
      if (Is(i, {Term::kBut, Term::kMaybe, Term::kIf, Term::kWhen, Term::kOr, Term::kBack})) return;
    }
    Say({Claim::Kind::kAsserted, Strength::kMentioned, target->letters});
  }

  // A sentence after a claim that names another choice too ("A. Or C.", "A; C", "A. It could also be
  // C.") or doubts it ("Or is it?").
  void ReadAlternative(size_t at) {
    if (at == 0 || claims_.empty() || claims_.back().kind != Claim::Kind::kAsserted) return;
    const Term before = term(at - 1);
    while (term(at) == Term::kQuote) ++at;
    const bool or_not = term(at) == Term::kLetter && token(at).letter == 'O' && term(at + 1) == Term::kNot;
    const bool either = or_not || term(at) == Term::kOr;
    bool doubts = either, clause = false;
    for (; Is(at, {Term::kOr, Term::kMaybe, Term::kAnd, Term::kAlso, Term::kFiller, Term::kOption,
                   Term::kOpen, Term::kQuote, Term::kComma, Term::kIt, Term::kLink});
         ++at) {
      doubts = doubts || Is(at, {Term::kMaybe, Term::kAlso});
      clause = clause || Is(at, {Term::kComma, Term::kIt, Term::kLink});
    }
    const std::optional<Target> target = or_not ? std::nullopt : At(at);
    if (!target) {
      if (either && (or_not || !GoesOnWithWould(at))) Say({Claim::Kind::kRetracted});
      return;
    }
    if (target->boxed || target->pronoun || !(doubts || (before == Term::kStop && !clause))) return;
    const Target joined = Joined(*target, false);
    const bool more = doubts && Is(joined.end, {Term::kComma, Term::kIf, Term::kWhen, Term::kBecause});
    if (EndsSentence(joined.end) || more)
      Say({Claim::Kind::kAsserted, claims_.back().strength, joined.letters});
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
    const After after = AfterTarget(*this, target, head, &end);
    if (after == After::kDenied || (head.denied && after == After::kFine))
      return Deny(target, Strength::kAnswered, head.strength.value_or(Strength::kAnswered), end);
    if (after == After::kNoClaim || !head.strength) return Verdict(Joined(one, false));
    if (head.guessed || (head.would && GoesOnWithCondition(end))) return target.end;
    return AssertUnlessTaken(target, one.boxed ? Strength::kBoxed : *head.strength, head, target.end, end);
  }

  // Asserts the choice unless what follows it from `tail` on says otherwise.
  size_t AssertUnlessTaken(Target target, Strength strength, const Head& head, size_t tail, size_t end) {
    const Tail said = ReadTail(*this, target, tail);
    if (said.verdict == Tail::kDenied || IsRefutedView(*this, sentence_.first, tail))
      return Deny(target, Strength::kAnswered, strength, end);
    if (said.verdict == Tail::kNoClaim) return end;
    target.letters |= said.others;
    return Assert(target, strength, head, end);
  }

  // A box without words before it that refer to it.
  size_t JudgeBox(const Target& target) {
    const size_t said = claims_.size();
    const size_t end = Verdict(target);
    if (claims_.size() == said) AssertUnlessTaken(target, Strength::kBoxed, {}, target.end, target.end);
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
    ReadPredicate(*this, target.end, &said);
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
    return AssertUnlessTaken(target, strength, head, said.end, said.end);
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
    const bool answers = at > 0 && term(at - 1) == Term::kQuestion;
    if (term(at) == Term::kNot && term(at + 1) == Term::kBack) return !answers;
    return !answers && Denies(*this, at);
  }

  Sentence sentence_;
  std::vector<Claim> claims_;
};

}  // namespace

std::vector<Claim> ReadClaims(const ChoiceText& text, const ChoicePieces& choices) {
  return Claims(text, choices).Read();
}

}  // namespace lvrpo
