#include "verifiers/choices/choice_head.h"

#include <algorithm>

namespace lvrpo {
namespace {

constexpr size_t kWidestGap = 12;  // tokens between "the answer" and "is"

size_t Earliest(const Sentence& sentence, size_t at) {
  return std::max(sentence.first, at > kFarthest ? at - kFarthest : 0);
}

class HeadReader : private ChoiceReader {
 public:
  HeadReader(const ChoiceReader& reader, const Sentence& sentence)
      : ChoiceReader(reader), sentence_(sentence) {}

  Head Read(size_t target) const {
    Head head;
    bool option = false, answer = false, filler = false, also = false;
    size_t at = target;
    for (const size_t earliest = Earliest(sentence_, target); at > earliest; --at) {
      const Term before = term(at - 1);
      const bool noun = option || answer;
      if (noun && (before == Term::kWrong || before == Term::kOther)) return {};
      if (before == Term::kOption) {
        option = true;
      } else if (before == Term::kAnswer) {
        answer = true;
      } else if (before == Term::kNot) {
        if (at - 1 == sentence_.first && Is(at, {Term::kComma, Term::kDash})) break;
        head.denied = true;
      } else if (before == Term::kMaybe) {
        head.guessed = true;
      } else if (before == Term::kFiller || before == Term::kAlso) {
        filler = true;
        also = before == Term::kAlso;
      } else if (noun && (before == Term::kRight || before == Term::kFinal)) {
        head.replaces = head.replaces || before == Term::kFinal;
      } else if (before == Term::kClose) {  // "[Answer] B"
        if (at - 1 == earliest || !Is(at - 2, {Term::kAnswer, Term::kOption})) break;
      } else if (before != Term::kOpen && before != Term::kQuote) {
        break;
      }
    }
    head.begin = at;
    if (at == sentence_.first) {
      if (IsUnderHeading(target)) {
        head.strength = Strength::kAnswered;
      } else if (AnswersAlone(target)) {
        head.strength = Strength::kMentioned;
      } else if (option || answer || filler) {
        head.strength = answer ? Strength::kAnswered : Strength::kMentioned;
        head.bare = true;
      }
      return head;
    }
    const bool pause = Is(at - 1, {Term::kComma, Term::kDash}) && at - 1 > sentence_.first;
    const Term before = pause && Is(at - 2, {Term::kThus, Term::kThen, Term::kBack, Term::kActually})
                            ? term(at - 2)
                            : term(at - 1);
    switch (before) {
      case Term::kPick:
        Picked(at - 1, &head);
        break;
      case Term::kIt:
        if (at - 1 == sentence_.first || term(at - 2) != Term::kBecause) head.strength = Strength::kMentioned;
        break;
      case Term::kThus:
      case Term::kThen:
      case Term::kBack:
      case Term::kActually:
        head.strength = Strength::kAnswered;
        break;
      case Term::kLink:
      case Term::kWould:
      case Term::kColon:
      case Term::kDash:
      case Term::kEqual:
        Linked(at - 1, answer, &head);
        break;
      default:
        break;
    }
    if (head.strength) return head;
    if (pause && term(at - 2) == Term::kNot && at - 2 == sentence_.first) {  // "No, B."
      head.strength = Strength::kMentioned;
      head.bare = true;
    } else if (pause && term(at - 2) == Term::kNot &&
               Is(at - 3, {Term::kComma, Term::kDash})) {  // "A, no, B"
      head.strength = Strength::kAnswered;
      head.instead = true;
    } else if (IsCorrection(target)) {
      head.strength = sentence_.denied_strength;
      head.replaces = true;
      head.begin = target;
    } else if (answer && BeginsClause(*this, sentence_, at)) {
      head.strength = Strength::kAnswered;
      head.bare = true;
    } else if (also && term(at - 1) == Term::kComma) {  // "also B": so B, or B too
      head.strength = Strength::kMentioned;
      head.bare = true;
    }
    return head;
  }

 private:
  // A sentence that is a letter, after a question or a denial ("Not A. B."), or goes on with ", not A".
  bool AnswersAlone(size_t target) const {
    const std::optional<Target> here = At(target);
    if (!here || here->small || here->pronoun) return false;
    if (term(here->end) == Term::kComma && term(here->end + 1) == Term::kNot && NamesNext(here->end + 2))
      return true;
    if (!EndsSentence(here->end) || sentence_.first == 0) return false;
    return term(sentence_.first - 1) == Term::kQuestion ||
           (term(sentence_.first - 1) == Term::kStop && sentence_.after_denial);
  }

  // "choose", by the author of the answer.
  void Picked(size_t at, Head* head) const {
    for (; at > sentence_.first; --at) {
      const Term before = term(at - 1);
      if (before == Term::kNot) head->denied = true;
      if (before == Term::kMaybe) head->guessed = true;
      if (before == Term::kWould) head->would = true;
      head->replaces = head->replaces || before == Term::kFinal;
      if (!Is(at - 1, {Term::kFinal, Term::kNot, Term::kMaybe, Term::kWould, Term::kFiller, Term::kLink,
                       Term::kAlso, Term::kIt}))
        break;
    }
    const bool own = BeginsClause(*this, sentence_, at) ||
                     Is(at - 1, {Term::kFirst, Term::kAnswer, Term::kOption}) ||
                     (term(at - 1) == Term::kLetter && token(at - 1).letter == 'I');
    if (!own) return;
    head->strength = Strength::kAnswered;
    head->begin = at;
  }

  // "is" or ":" after what it is about.
  void Linked(size_t link, bool answer, Head* head) const {
    const bool verb = Is(link, {Term::kLink, Term::kWould});
    bool thus = false;
    size_t at = link + 1;
    for (; at > sentence_.first; --at) {
      const Term before = term(at - 1);
      if (before == Term::kNot) head->denied = true;
      if (before == Term::kMaybe) head->guessed = true;
      if (before == Term::kWould) head->would = true;
      if (before == Term::kThus || before == Term::kThen) thus = true;
      const bool aside = before == Term::kComma && at - 1 > sentence_.first && (thus || at <= link) &&
                         Is(at - 2, {Term::kThus, Term::kFiller, Term::kAnswer, Term::kOption});
      if (!aside && !Is(at - 1, {Term::kNot, Term::kMaybe, Term::kWould, Term::kThus, Term::kThen,
                                 Term::kLink, Term::kColon, Term::kDash, Term::kEqual, Term::kClose,
                                 Term::kQuote, Term::kFiller, Term::kAlso}))
        break;
    }
    bool right = false;
    for (; at > sentence_.first && Is(at - 1, {Term::kRight, Term::kFinal, Term::kFiller}); --at) {
      right = right || term(at - 1) == Term::kRight;
      head->replaces = head->replaces || term(at - 1) == Term::kFinal;
    }
    head->begin = at;
    if (at > sentence_.first && Is(at - 1, {Term::kAnswer, Term::kOption, Term::kPick}))
      return Named(at - 1, head);
    if (at > sentence_.first && term(at - 1) == Term::kIt) {
      head->strength = Strength::kMentioned;
      head->begin = at - 1;
    } else if (right || thus || (answer && BeginsClause(*this, sentence_, at)) ||
               (at > sentence_.first && term(at - 1) == Term::kBack)) {
      if (at == sentence_.first || !Is(at - 1, {Term::kWrong, Term::kOther, Term::kWord}))
        head->strength = Strength::kAnswered;
    } else if (verb && BeginsClause(*this, sentence_, at) &&
               (at == sentence_.first || term(at - 1) != Term::kBecause)) {
      head->strength = Strength::kMentioned;  // "Es la B."
    } else {
      AcrossGap(at, head);
    }
  }

  // "the answer to this question", "the option that I choose".
  void AcrossGap(size_t at, Head* head) const {
    for (const size_t after = at; at > sentence_.first && after - at < kWidestGap; --at) {
      if (Is(at - 1, {Term::kAnswer, Term::kOption})) {
        size_t next = at;
        while (Is(next, {Term::kRight, Term::kFinal})) ++next;
        const char letter = term(next) == Term::kLetter ? token(next).letter : '\0';
        const bool word = letter == 'I' || (letter == 'A' && token(next).small);  // "a la pregunta"
        if (word || Is(next, {Term::kOf, Term::kThat, Term::kFirst, Term::kPick})) return Named(at - 1, head);
        return;
      }
      if (term(at - 1) == Term::kComma && Is(at, {Term::kLetter, Term::kAnd, Term::kOr})) continue;
      if (Is(at - 1, {Term::kComma, Term::kColon, Term::kDash, Term::kIf, Term::kNot, Term::kSaid, Term::kBut,
                      Term::kThus, Term::kBecause, Term::kLink, Term::kWould, Term::kIt, Term::kOr}))
        return;
    }
  }

  // "the correct answer": the noun and its modifiers.
  void Named(size_t noun, Head* head) const {
    size_t at = noun;
    for (; at > sentence_.first && Is(at - 1, {Term::kRight, Term::kFinal, Term::kFiller, Term::kAnswer,
                                               Term::kOption, Term::kOpen, Term::kQuote});
         --at) {
      head->replaces = head->replaces || term(at - 1) == Term::kFinal;
    }
    if (at > sentence_.first && Is(at - 1, {Term::kOther, Term::kWrong})) {
      head->denied = false;
      return;
    }
    head->strength = Strength::kAnswered;
    head->begin = at;
  }

  // Whether it is a separate line after a line such as "Answer:".
  bool IsUnderHeading(size_t target) const {
    size_t at = sentence_.first;
    if (at == 0 || term(at - 1) != Term::kLine) return false;
    const std::optional<Target> here = At(target);
    size_t end = here ? here->end : target;
    while (term(end) == Term::kStop) ++end;
    if (term(end) != Term::kLine) return false;
    while (at > 0 && term(at - 1) == Term::kLine) --at;
    while (at > 0 && Is(at - 1, {Term::kColon, Term::kLink, Term::kClose, Term::kQuote, Term::kDash})) --at;
    if (at == 0 || !Is(at - 1, {Term::kAnswer, Term::kOption, Term::kThus, Term::kRight})) return false;
    while (at > 0 && Is(at - 1, {Term::kAnswer, Term::kOption, Term::kThus, Term::kRight, Term::kFinal,
                                 Term::kFiller, Term::kOpen, Term::kQuote}))
      --at;
    return at == 0 || EndsSentence(at - 1);
  }

  // "but B", after a choice that was denied.
  bool IsCorrection(size_t target) const {
    bool said = false;
    size_t at = target;
    while (at > sentence_.denied_end && at > sentence_.first &&
           Is(at - 1, {Term::kComma, Term::kBut, Term::kIt, Term::kLink, Term::kFiller, Term::kNotBut,
                       Term::kThus, Term::kOption, Term::kOpen, Term::kQuote, Term::kAnswer})) {
      --at;
      said = said || Is(at, {Term::kBut, Term::kIt, Term::kLink, Term::kNotBut});
    }
    return sentence_.denied_end > sentence_.first && at == sentence_.denied_end &&
           (said || term(at - 1) == Term::kNotBut);
  }

  const Sentence& sentence_;
};

}  // namespace

Head HeadOf(const ChoiceReader& reader, const Sentence& sentence, size_t target) {
  return HeadReader(reader, sentence).Read(target);
}

void ReadClause(const ChoiceReader& reader, const Sentence& sentence, Head* head) {
  bool clause = true, others = true;
  for (size_t at = head->begin, earliest = Earliest(sentence, at); at > earliest; --at) {
    const Term before = reader.term(at - 1);
    if (before == Term::kActually || before == Term::kBack) head->instead = true;
    if (reader.Is(at - 1, {Term::kThus, Term::kBut, Term::kBack, Term::kNotBut})) {
      head->replaces = head->replaces || *head->strength != Strength::kMentioned || before != Term::kThus;
      return;
    }
    if (before == Term::kIf || (others && before == Term::kSaid)) {
      head->ignored = true;
      return;
    }
    if (before == Term::kAnd) others = false;
    if (clause && before == Term::kNot &&
        !(at - 1 == sentence.first && reader.Is(at, {Term::kComma, Term::kDash})))
      head->denied = true;
    if (clause && before == Term::kMaybe) head->guessed = true;
    if (before == Term::kComma && reader.term(at) == Term::kThat) continue;
    clause = clause && !reader.Is(at - 1, {Term::kComma, Term::kColon, Term::kDash, Term::kAnd,
                                           Term::kBecause, Term::kOr});
  }
}

bool BeginsClause(const ChoiceReader& reader, const Sentence& sentence, size_t at) {
  return at == sentence.first ||
         reader.Is(at - 1,
                   {Term::kComma, Term::kColon, Term::kDash, Term::kThus, Term::kThen, Term::kBut, Term::kAnd,
                    Term::kBecause, Term::kThat, Term::kBack, Term::kActually, Term::kNotBut});
}

}  // namespace lvrpo
