#include <algorithm>

#include "verifiers/choices/choice_head.h"

namespace lvrpo {
namespace {

// Whether the judgement at `wrong` is about something that is named before it ("A is wrong"), not about the
// clause after it ("it is wrong that").
bool HasSubject(const ChoiceReader& reader, const Sentence& sentence, size_t wrong) {
  size_t at = wrong;
  while (at > sentence.first && reader.Is(at - 1, {Term::kLink, Term::kNot, Term::kFiller, Term::kMaybe,
                                                   Term::kWould, Term::kAlso, Term::kActually}))
    --at;
  return at > sentence.first &&
         reader.Is(at - 1, {Term::kLetter, Term::kClose, Term::kBox, Term::kOption, Term::kAnswer,
                            Term::kOther, Term::kWord}) &&
         !reader.IsParticle(at - 1);
}

// "it" without its verb.
bool IsBareIt(const ChoiceReader& reader, size_t at) {
  return reader.piece(at) == "it" && reader.token(at).last == reader.token(at).first + 1;
}

// Whether the clause that begins with the "that" at `at` is under an adjective that is not known to approve:
// "it is doubtful that".
bool IsUnderPredicate(const ChoiceReader& reader, const Sentence& sentence, size_t at) {
  if (at > sentence.first && reader.term(at - 1) == Term::kComma) --at;
  if (at < sentence.first + 2 || reader.term(at - 1) != Term::kWord) return false;
  for (--at; at > sentence.first && reader.term(at - 1) == Term::kFiller;) --at;
  if (at == sentence.first || !reader.Is(at - 1, {Term::kLink, Term::kIt}) || IsBareIt(reader, at - 1))
    return false;
  return at < sentence.first + 2 || reader.term(at - 2) != Term::kFirst;
}

}  // namespace

size_t Earliest(const Sentence& sentence, size_t at) {
  return std::max(sentence.first, at > kFarthest ? at - kFarthest : 0);
}

void ReadClause(const ChoiceReader& reader, const Sentence& sentence, Head* head) {
  bool clause = true, others = true, relation = false, when = false;
  for (size_t at = head->begin, earliest = Earliest(sentence, at); at > earliest; --at) {
    const Term before = reader.term(at - 1);
    if (before == Term::kActually || before == Term::kBack) head->instead = true;
    if (reader.Is(at - 1, {Term::kThus, Term::kBut, Term::kBack, Term::kNotBut})) {
      head->replaces = head->replaces || *head->strength != Strength::kMentioned || before != Term::kThus;
      return;
    }
    relation = relation || reader.IsRelation(at - 1);
    when = when || before == Term::kWhen;
    if (before == Term::kIf || (others && before == Term::kSaid) || (relation && when) ||
        (before == Term::kThat && IsUnderPredicate(reader, sentence, at - 1))) {
      head->ignored = true;
      return;
    }
    if (before == Term::kAnd) others = false;
    if (clause && before == Term::kNot &&
        !(at - 1 == sentence.first && reader.Is(at, {Term::kComma, Term::kDash})))
      head->denied = true;
    if (clause && before == Term::kWrong) {
      clause = !HasSubject(reader, sentence, at - 1);
      head->denied = head->denied || clause;
    }
    if (clause && before == Term::kMaybe) head->guessed = true;
    if (before == Term::kComma && (reader.term(at) == Term::kThat || reader.term(at - 2) == Term::kThat))
      continue;
    clause = clause && !reader.Is(at - 1, {Term::kComma, Term::kColon, Term::kDash, Term::kAnd,
                                           Term::kBecause, Term::kOr});
  }
}

bool BeginsClause(const ChoiceReader& reader, const Sentence& sentence, size_t at) {
  return at == sentence.first ||
         reader.Is(at - 1,
                   {Term::kComma, Term::kColon, Term::kDash, Term::kThus, Term::kThen, Term::kBut, Term::kAnd,
                    Term::kBecause, Term::kWhen, Term::kThat, Term::kBack, Term::kActually, Term::kNotBut});
}

}  // namespace lvrpo
