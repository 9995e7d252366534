#include "verifiers/choices/choice_head.h"

#include <algorithm>

#include "verifiers/choices/choice_alone.h"

namespace lvrpo {
namespace {

constexpr size_t kWidestGap = 12;  // tokens between "the answer" and "is"

class HeadReader : private ChoiceReader {
 public:
  HeadReader(const ChoiceReader& reader, const Sentence& sentence)
      : ChoiceReader(reader), sentence_(sentence) {}

  Head Read(size_t target) const {
    Head head;
    Nouns nouns;
    if (!ReadNouns(target, &head, &nouns)) return {};
    const size_t at = head.begin;
    if (at == sentence_.first) {
      if (IsUnderHeading(*this, sentence_, target)) {
        head.strength = Strength::kAnswered;
      } else if (AnswersAlone(*this, sentence_, target)) {
        head.strength = Strength::kMentioned;
      } else if (nouns.option || nouns.answer || nouns.filler) {
        Bare(nouns.answer ? Strength::kAnswered : Strength::kMentioned, &head);
      }
      return head;
    }
    ReadVerb(nouns, &head);
    if (!head.strength) ReadPause(target, nouns, &head);
    return head;
  }

 private:
  // The kinds of words directly before the choice.
  struct Nouns {
    bool option = false, answer = false, filler = false, also = false;
  };

  static void Bare(Strength strength, Head* head) {
    head->strength = strength;
    head->bare = true;
  }

  // "the final answer, option" before the choice; moves head->begin to the first of them. False: they are of
  // another answer ("the wrong option").
  bool ReadNouns(size_t target, Head* head, Nouns* nouns) const {
    size_t at = target;
    for (const size_t earliest = Earliest(sentence_, target); at > earliest; --at) {
      const Term before = term(at - 1);
      const bool noun = nouns->option || nouns->answer;
      if (noun && (before == Term::kWrong || before == Term::kOther)) return false;
      if (before == Term::kOption) {
        nouns->option = true;
      } else if (before == Term::kAnswer) {
        nouns->answer = true;
      } else if (before == Term::kNot) {
        if (at - 1 == sentence_.first && Is(at, {Term::kComma, Term::kDash})) break;
        head->denied = true;
      } else if (before == Term::kMaybe) {
        head->guessed = true;
      } else if (before == Term::kFiller || before == Term::kAlso ||
                 (!noun && before == Term::kRight && NeedsNoVerb(at - 1))) {
        nouns->filler = true;
        nouns->also = before == Term::kAlso;
      } else if (noun && (before == Term::kRight || before == Term::kFinal)) {
        head->replaces = head->replaces || before == Term::kFinal;
      } else if (before == Term::kClose) {  // "[Answer] B"
        if (at - 1 == earliest || !Is(at - 2, {Term::kAnswer, Term::kOption})) break;
      } else if (before != Term::kOpen && before != Term::kQuote) {
        break;
      }
    }
    head->begin = at;
    return true;
  }

  bool IsAfterPause(size_t at) const {
    return Is(at - 1, {Term::kComma, Term::kDash}) && at - 1 > sentence_.first;
  }

  // "is", "choose", "so".
  void ReadVerb(const Nouns& nouns, Head* head) const {
    const size_t at = head->begin;
    const bool adverb =
        IsAfterPause(at) && Is(at - 2, {Term::kThus, Term::kThen, Term::kBack, Term::kActually});
    switch (adverb ? term(at - 2) : term(at - 1)) {
      case Term::kPick:
        Picked(at - 1, head);
        break;
      case Term::kIt:
        if (at - 1 == sentence_.first || term(at - 2) != Term::kBecause)
          head->strength = Strength::kMentioned;
        break;
      case Term::kThus:
      case Term::kThen:
      case Term::kBack:
      case Term::kActually:
        head->strength = Strength::kAnswered;
        break;
      case Term::kLink:
      case Term::kWould:
      case Term::kColon:
      case Term::kDash:
      case Term::kEqual:
        Linked(at - 1, nouns.answer, head);
        break;
      default:
        break;
    }
  }

  // "No, B", "A, no, B", "not A but B", "answer B".
  void ReadPause(size_t target, const Nouns& nouns, Head* head) const {
    const size_t at = head->begin;
    const bool no = IsAfterPause(at) && term(at - 2) == Term::kNot;
    if (no && at - 2 == sentence_.first) {
      Bare(Strength::kMentioned, head);
    } else if (no && Is(at - 3, {Term::kComma, Term::kDash})) {
      head->strength = Strength::kAnswered;
      head->instead = true;
    } else if (IsCorrection(*this, sentence_, target)) {
      head->strength = sentence_.denied_strength;
      head->replaces = true;
      head->begin = target;
    } else if (nouns.answer && BeginsClause(*this, sentence_, at)) {
      Bare(Strength::kAnswered, head);
    } else if (nouns.also && term(at - 1) == Term::kComma) {  // "also B": so B, or B too
      Bare(Strength::kMentioned, head);
    }
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
      right = right || term(at - 1) == Term::kRight || (!verb && term(at - 1) == Term::kFinal);  // "Final: B"
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
        if (word || Is(next, {Term::kOf, Term::kView, Term::kThat, Term::kFirst, Term::kPick}))
          return Named(at - 1, head);
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

  const Sentence& sentence_;
};

}  // namespace

Head HeadOf(const ChoiceReader& reader, const Sentence& sentence, size_t target) {
  return HeadReader(reader, sentence).Read(target);
}

}  // namespace lvrpo
