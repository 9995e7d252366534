#include "verifiers/choices/choice_after.h"

namespace lvrpo {
namespace {

// What the word after a choice says when the words before the choice claim it; moves *at after it.
After ByWord(const ChoiceReader& reader, bool bare, size_t* at) {
  switch (reader.term(*at)) {
    case Term::kNotBut:
      ++*at;
      return After::kDenied;
    case Term::kWrong:
      return After::kDenied;
    case Term::kNot: {
      if (reader.NamesNext(*at + 1)) return After::kFine;
      const bool east_asian = reader.IsEastAsian((*at)++);
      return east_asian ? After::kDenied : After::kNoClaim;
    }
    case Term::kLink:  // "dass die Antwort B ist"
      return reader.EndsSentence(*at + 1) ? After::kFine : After::kNoClaim;
    case Term::kBecause:
    case Term::kThus:
    case Term::kOpen:
      return After::kFine;
    case Term::kAnd:
    case Term::kThat:  // "the one called A"
      if (reader.IsEastAsian(*at) && !reader.NamesNext(*at + 1)) return After::kNoClaim;
      break;
    case Term::kComma:
    case Term::kColon:
    case Term::kDash:
    case Term::kBut:
    case Term::kOf:
    case Term::kView:
    case Term::kOr:
    case Term::kMaybe:
    case Term::kAnswer:
    case Term::kRight:
    case Term::kHolds:
    case Term::kThen:
      break;
    default:
      return After::kNoClaim;
  }
  return bare ? After::kNoClaim : After::kFine;
}

}  // namespace

After AfterTarget(const ChoiceReader& reader, const Target& target, const Head& head, size_t* end) {
  size_t& at = *end = target.end;
  if (target.small) {
    const bool ends = reader.EndsSentence(at) ||
                      reader.Is(at, {Term::kComma, Term::kBecause, Term::kBut, Term::kOpen, Term::kColon});
    return ends ? After::kFine : After::kNoClaim;
  }
  at = reader.BehindAside(at);
  while (reader.Is(at, {Term::kEnd, Term::kFiller, Term::kOption, Term::kClose, Term::kQuote})) ++at;
  if (reader.EndsSentence(at)) return After::kFine;
  const bool reason = reader.term(at) == Term::kComma && reader.Is(at + 1, {Term::kBecause, Term::kNot});
  return ByWord(reader, head.bare && !head.denied && !target.with_text && !reason, end);
}

}  // namespace lvrpo
