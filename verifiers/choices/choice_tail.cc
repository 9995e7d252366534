#include "verifiers/choices/choice_tail.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace lvrpo {
namespace {

bool EndsPhrase(const ChoiceReader& reader, size_t at) {
  return reader.EndsSentence(at) ||
         reader.Is(at, {Term::kClose, Term::kOpen, Term::kComma, Term::kDash, Term::kBecause, Term::kThus});
}

// "he is wrong", "Bob was not right": whether the clause at `at` says so of something that is no choice.
bool SaysWrong(const ChoiceReader& reader, size_t at) {
  bool denied = false, wrong = false, right = false;
  for (const size_t last = at + kFarthest; at < last && !EndsPhrase(reader, at); ++at) {
    if (reader.term(at) == Term::kOther) return false;  // "the others are wrong"
    if (reader.term(at) == Term::kLetter ? !reader.IsParticle(at) : reader.At(at).has_value()) return false;
    denied = denied || reader.term(at) == Term::kNot;
    wrong = wrong || reader.term(at) == Term::kWrong;
    right = right || reader.Is(at, {Term::kRight, Term::kHolds});
  }
  return wrong ? !denied : denied && right;
}

class TailReader : private ChoiceReader {
 public:
  TailReader(const ChoiceReader& reader, const Target& target) : ChoiceReader(reader), target_(target) {}

  Tail Read(size_t at) && {
    if (target_.text && GoesOnAsName(at)) return {Tail::kNoClaim};
    for (const size_t last = at + kFarthest; at < last && !EndsSentence(at);) {
      if (Is(at, {Term::kComma, Term::kDash, Term::kOpen, Term::kColon, Term::kBut, Term::kAnd,
                  Term::kBecause}) &&
          Denies(*this, at + 1)) {
        return {Tail::kDenied};
      }
      if (!reason_ && IsCondition(at)) return {Tail::kNoClaim};
      if (term(at) == Term::kBecause) reason_ = true;
      if (Is(at, {Term::kComma, Term::kOpen})) phrase_of_ = false;
      if (term(at) == Term::kOf) phrase_of_ = true;
      at = Is(at, {Term::kNot, Term::kBecause}) ? AfterNamed(at + 1) : AfterOther(at);
    }
    return tail_;
  }

 private:
  // After the choices named at `at`, which are said not to be meant ("not A or C", "rather than A").
  size_t AfterNamed(size_t at) const {
    if (!NamesNext(at)) return at;
    while (!At(at)) ++at;
    const Target named = Joined(*At(at), false);
    return IsSubject(named.end) ? at : named.end;
  }

  // After another choice, which is added unless something is said about it separately.
  size_t AfterOther(size_t at) {
    const std::optional<Target> here = At(at);
    if (!here || !IsMention(*here)) return at + 1;
    const Target other = Joined(*here, false);
    if (IsSubject(other.end)) {
      for (at = other.end; !EndsPhrase(*this, at) && !Is(at, {Term::kAnd, Term::kBut});) ++at;
      return at;
    }
    const bool listed = (other.letters & target_.letters) == target_.letters;  // "B of A, B and C"
    if (!reason_ && !listed) tail_.others |= other.letters;
    return other.end;
  }

  // A capital letter that is not part of a name ("in figure A"), or a choice's text in a list.
  bool IsMention(const Target& other) const {
    const size_t at = other.begin;
    if (other.boxed) return true;
    if (other.text)
      return Is(at - 1, {Term::kComma, Term::kAnd, Term::kOr, Term::kOpen, Term::kDash, Term::kQuote});
    if (other.pronoun || (other.small && !target_.small)) return false;
    return term(at - 1) != Term::kWord ||
           !Is(at - 2, {Term::kOf, Term::kView, Term::kFiller, Term::kBecause});
  }

  // Whether a verb follows.
  bool IsSubject(size_t at) const {
    if (Is(at,
           {Term::kLink, Term::kWould, Term::kHolds, Term::kWrong, Term::kNot, Term::kRight, Term::kMaybe}))
      return true;
    return term(at) == Term::kWord && !EndsPhrase(*this, at + 1);
  }

  bool IsCondition(size_t at) const {
    if (Is(at, {Term::kIf, Term::kWhen, Term::kMaybe, Term::kSaid})) return true;
    const bool slash = term(at) == Term::kAnd && piece(at) == "/";
    if (term(at) == Term::kOr || slash) return !NamesNext(at + 1) && !GoesOnWithWould(at);
    if (term(at) == Term::kDash && EndsSentence(at + 1) && !token(at).spaced) return true;  // a grade
    return phrase_of_ && IsRelation(at);                                                    // "for x > 0"
  }

  // Whether the text of the choice is the beginning of something longer: "Paris, Texas", "red and green".
  bool GoesOnAsName(size_t at) const {
    if (Is(at, {Term::kOf, Term::kThat})) return true;
    if (!Is(at, {Term::kComma, Term::kDash, Term::kColon, Term::kAnd, Term::kOr, Term::kOpen})) return false;
    while (
        Is(at, {Term::kComma, Term::kDash, Term::kColon, Term::kAnd, Term::kOr, Term::kOpen, Term::kQuote}))
      ++at;
    if (term(at) != Term::kWord || At(at)) return false;
    for (; !EndsPhrase(*this, at); ++at) {
      if (Is(at, {Term::kLink, Term::kWould, Term::kHolds, Term::kIt})) return false;  // a clause
    }
    return true;
  }

  const Target target_;
  Tail tail_;
  bool reason_ = false, phrase_of_ = false;
};

}  // namespace

bool Denies(const ChoiceReader& reader, size_t at) {
  bool denied = false, doubted = false, subject = false;
  for (const size_t first = at; at < first + kFarthest; ++at) {
    if (EndsPhrase(reader, at))
      return denied || doubted || (at > first && reader.term(at) == Term::kQuestion);
    if (reader.term(at) == Term::kLetter ? !reader.IsParticle(at) : reader.At(at).has_value()) return false;
    switch (reader.term(at)) {
      case Term::kIt:
      case Term::kThat:
        subject = true;
        break;
      case Term::kOf:
        if (at != first || reader.term(at + 1) != Term::kLink) return false;  // "which was"
        subject = true;
        break;
      case Term::kNot:
        denied = true;
        break;
      case Term::kWrong:
        if (subject) return !reader.Is(at + 1, {Term::kThat, Term::kPick});
        denied = true;
        break;
      case Term::kMaybe:
        doubted = true;
        break;
      case Term::kLetter:
      case Term::kLink:
      case Term::kWould:
      case Term::kFiller:
      case Term::kActually:
      case Term::kBut:
      case Term::kOr:
      case Term::kRight:
      case Term::kHolds:
      case Term::kFirst:
      case Term::kAnswer:
      case Term::kOption:
      case Term::kBack:
      case Term::kEnd:
      case Term::kQuote:
        break;
      default:
        return false;
    }
  }
  return false;
}

bool IsRefutedView(const ChoiceReader& reader, size_t first, size_t at) {
  size_t end = at;
  while (end < at + kFarthest && !reader.EndsSentence(end)) ++end;
  bool view = false;
  for (size_t i = std::max(first, at > kFarthest ? at - kFarthest : 0); i < end; ++i) {
    view = view || reader.term(i) == Term::kView ||
           (reader.term(i) == Term::kWord && absl::EndsWith(reader.piece(i), "'s"));
  }
  for (size_t i = at; view && i < end; ++i) {
    if (reader.Is(i, {Term::kComma, Term::kDash, Term::kOpen, Term::kBut}) && SaysWrong(reader, i + 1))
      return true;
  }
  while (end < reader.size() && reader.EndsSentence(end)) ++end;
  return view && SaysWrong(reader, end);
}

Tail ReadTail(const ChoiceReader& reader, const Target& target, size_t at) {
  return TailReader(reader, target).Read(at);
}

}  // namespace lvrpo
