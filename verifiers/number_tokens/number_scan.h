#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

// Scanners: each returns the end of the item that begins at text[at], or `at` if there is none. Need
// well-formed UTF-8.
namespace lvrpo::numbers {

// The code point at `at`; 0 at the end.
char32_t PeekCodePoint(absl::string_view text, size_t at);

// Items that are delimited, of at most 256 bytes.
enum class Delimited {
  kMarkup,          // a tag of HTML or XML, or a token such as <|end|>
  kRaisedDegree,    // "^\circ", "^{\circ}", "^o"
  kRaisedFraction,  // "^7/_8", "<sup>7</sup>/<sub>8</sub>"
  kStruck,          // what is struck out: "~~5~~", "<s>5</s>", "\sout{5}"
  kFormula,         // from a dollar that is no currency to the one that closes it on this line
  kArgument,        // a command's argument in braces
};
size_t DelimitedEnd(Delimited item, absl::string_view text, size_t at);

// Letters of scripts with spaces between words, with apostrophes between them.
size_t LettersEnd(absl::string_view text, size_t at);
// After letters: digits, letters and underscores that make a name of them ("H2O", "x_1", "v1.2"). The first
// digit is searched for within the next 256 bytes.
size_t NameEnd(absl::string_view text, size_t at);
// After capital letters: a hyphen and digits ("COVID-19").
size_t HyphenNameEnd(absl::string_view text, size_t at);
// After "e": "+3", "-3", "3", unless a letter follows.
size_t ExponentEnd(absl::string_view text, size_t at);
// Decimal digits.
size_t DigitsEnd(absl::string_view text, size_t at);
// Superscript digits.
size_t SuperscriptEnd(absl::string_view text, size_t at);
// A fraction slash with subscript or plain digits, or another slash with subscript ones.
size_t LowerPartEnd(absl::string_view text, size_t at);

// Marks that combine with the character before them.
bool IsCombining(char32_t c);
// A letter of a script with spaces between words.
bool IsSpacedLetter(char32_t c);

}  // namespace lvrpo::numbers
