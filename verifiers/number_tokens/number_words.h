#pragma once

#include "absl/strings/string_view.h"

// Words that belong to a number or exclude one. Words are given as written; case matters where it is
// significant ("m" and "M"). Pure functions.
namespace lvrpo::numbers {

// "percent", "Prozent"; "per cent" and its like, two words; what stands before the number: the Chinese for
// "of a hundred parts", Turkish.
bool IsPercentWord(absl::string_view word);
bool ArePercentWords(absl::string_view first, absl::string_view second);
bool IsPercentBefore(absl::string_view word);
bool IsPer(absl::string_view word);
bool IsCent(absl::string_view word);
bool IsMinusWord(absl::string_view word);
// Words that make the number after them part of something else: "sqrt", "log", "than", "mod".
bool ChangesNumberBehind(absl::string_view word);
// Those of them that are functions, in front of a variable too: "log", "twice".
bool IsFunctionWord(absl::string_view word);
// Nouns that do so with "of": "the root of 2".
bool IsMathNoun(absl::string_view word);
bool IsOfWord(absl::string_view word);
// Words that make two numbers operands where a number stands before them: "times", "mal".
bool JoinsOperands(absl::string_view word);
// "divided", and the "by" after it.
bool IsOperation(absl::string_view word);
bool IsBy(absl::string_view word);
// Words that do so with the number before them: "squared", "pi", "halves", "factorial".
bool ChangesNumberBefore(absl::string_view word);
// What may stand between: the genitive of scripts without blanks ("5's square"), and "to the" of others
// ("5 au carre").
bool IsGenitive(absl::string_view word);
bool RaisesTo(absl::string_view word);
// Those of them that say a part: "halves", "Viertel", "sixteenths".
bool IsPart(absl::string_view word);
// After a part, before an hour: "quarter to", "Viertel nach".
bool IsClockWord(absl::string_view word);
// "two", "zwanzig", "hundred".
bool IsNumberWord(absl::string_view word);
// "and", between the pieces of a quantity.
bool IsAndWord(absl::string_view word);
// Words with which a box or a tag has no single answer: "or", "not", "at least".
bool DeniesAnswer(absl::string_view word);
// Words that do so right next to the number: "and", "to", "over".
bool JoinsNumber(absl::string_view word);
// Those words, and others, after a box: "or 6", "to 6".
bool OffersAnother(absl::string_view word);
// Two letters that are a word and no product of two variables: "of", "in".
bool IsShortWord(absl::string_view word);

// Nothing but the capital letters A to Z.
bool IsCapitals(absl::string_view word);

// Terms of scripts without blanks, longest first; empty if text begins with none.
absl::string_view LeadingTerm(absl::string_view text);

}  // namespace lvrpo::numbers
