#pragma once

#include <span>

// The meanings of the words with which an answer names its choice.
namespace lvrpo {

enum class Term {
  // Words. Those in the table are of these kinds, all others are kWord.
  kAnswer,    // answer, solution
  kOption,    // option, choice, letter
  kRight,     // correct, best
  kFinal,     // final: replaces earlier claims
  kWrong,     // incorrect
  kHolds,     // a verb that says "is right": fits
  kLink,      // is
  kWould,     // would be
  kIt,        // it, it's, this is
  kPick,      // choose, go with
  kFirst,     // we, I'd: who chooses (the letter I is a letter)
  kThus,      // therefore, so
  kThen,      // then: like therefore, but also after a condition
  kActually,  // actually: replaces all earlier claims
  kFiller,    // the, clearly, I think: changes nothing
  kThat,      // that: begins a clause which the words before it govern
  kOf,        // of, to, for: continues the noun phrase
  kView,      // according to: whose view it is, or by what it is known
  kNot,       // not, cannot
  kNotBut,    // after a choice: not this one but
  kBut,       // but
  kIf,        // if, unless, suppose
  kWhen,      // when, as long as: after a claim a condition
  kMaybe,     // might, perhaps
  kSaid,      // said, thought, at first: another's claim, or an earlier one
  kOther,     // another, first, his: of a noun that is not this answer
  kBack,      // wait, correction: retracts
  kAlso,      // both, also
  kAnd,       // and
  kOr,        // or
  kBecause,   // because, since, rather than: what follows a claim
  kEnd,       // ends a sentence after its object, as verbs of Japanese and Korean do
  kWord,
  // Anything else.
  kLetter,    // one Latin letter alone
  kBox,       // \boxed{...} and the like
  kOpen,      // ( [ {
  kClose,     // ) ] }
  kQuote,     // " '
  kColon,     // : and arrows
  kEqual,     // =
  kDash,      // -
  kComma,     // ,
  kStop,      // . ! ;
  kQuestion,  // ?
  kLine,      // the end of a line
  kMark,      // any other character
};

struct TermWords {
  Term term;
  const char* words;  // words or phrases, separated by |
};

// One table a language: English, German, French, Spanish, Italian, Portuguese, Russian, Chinese, Japanese,
// Korean. All are used at once: answers mix languages. The longest match wins, and of duplicates the first.
std::span<const std::span<const TermWords>> ChoiceWords();

}  // namespace lvrpo
