#pragma once

#include <optional>

#include "absl/strings/string_view.h"

// Words that belong to a number or exclude one. Words are given as written; case matters where it is
// significant ("m" and "M"). Pure functions.
namespace lvrpo::numbers {

// "k", "million", "Mrd", the Chinese for ten thousand: what the number is multiplied by. NaN for a word that
// scales but is not the same everywhere ("billon"). `glued`: no space between number and word.
std::optional<double> ScaleOf(absl::string_view word, bool glued);
// "percent", "Prozent". "per cent" and its like are two words: IsPer, then IsCent.
bool IsPercentWord(absl::string_view word);
bool IsPer(absl::string_view word);
bool IsCent(absl::string_view word);
// The Chinese for "of a hundred parts", before the number.
inline constexpr absl::string_view kPercentBefore = "\u767E\u5206\u4E4B";
bool IsMinusWord(absl::string_view word);
// "about" and its like before a number.
bool IsAlmostWord(absl::string_view word);
// Units that may directly follow the digits or carry an exponent: "kg", "m", "feet", ordinal endings.
bool IsUnit(absl::string_view word);
// "USD", "Rs": may stand between a sign and the number, and right before the digits.
bool IsCurrencyCode(absl::string_view word);
// Words that make the number after them part of something else: "sqrt", "log", "than", "not", "mod".
bool ChangesNumberBehind(absl::string_view word);
// Nouns that do so with "of": "the root of 2".
bool IsMathNoun(absl::string_view word);
// Words that do so with the number before them: "squared", "pi", "halves", "factorial".
bool ChangesNumberBefore(absl::string_view word);
// Words with which a box or a tag has no single answer: "or", "not", "at least".
bool DeniesAnswer(absl::string_view word);
// Words that do so right next to the number: "and", "to", "over".
bool JoinsNumber(absl::string_view word);
// Two letters that are a word and no product of two variables: "of", "in".
bool IsShortWord(absl::string_view word);

// Terms of scripts without blanks, longest first; empty if text begins with none.
absl::string_view LeadingTerm(absl::string_view text);

}  // namespace lvrpo::numbers
