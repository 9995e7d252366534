#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

// Tokens of text and LaTeX for reading numbers.
namespace lvrpo::numbers {

enum class TokenKind : uint8_t {
  kDigits,    // decimal digits of one run
  kVulgar,    // a one-character fraction, or superscript / fraction slash / digits
  kExponent,  // "e-3" right after digits or their point
  kWord,      // letters; one character or one known term in scripts without blanks
  kName,      // letters with digits: "H2O", "x_1", "v1.2"
  kFraction,  // \frac and its like
  kCommand,   // any other LaTeX command: a variable or a function
  kSymbol,    // everything else, see number_characters.h
};

// The gap before a token.
enum class Gap : uint8_t {
  kNone,
  kMark,   // only marks: quotes, currency signs, emphasis, tags
  kBlank,  // any blank within a line
  kBreak,  // a line break, or the beginning
};

struct Token {
  TokenKind kind;
  Gap gap;
  bool in_words;    // within \text{} and its like
  char32_t symbol;  // of kSymbol, canonical; else 0
  size_t partner;   // of a bracket: the token that closes or opens it; kNoPartner if none
  absl::string_view raw;
};
constexpr size_t kNoPartner = static_cast<size_t>(-1);

// Marks, invisible characters, fonts and spaces are dropped; superscripts become "^{...}", and braces around
// one sign or separator are removed. One pass. Needs well-formed UTF-8 that outlives the tokens.
std::vector<Token> Tokenize(absl::string_view text);

bool IsSymbol(const Token& token, char32_t symbol);
bool IsOpening(const Token& token);
bool IsClosing(const Token& token);
bool IsMinusSign(const Token& token);
// A word of one letter that may be a variable; "a" and "I" are no more than that in formulas.
bool IsLetter(const Token& token);
// A word of a script without blanks between words.
bool IsUnspacedWord(const Token& token);

}  // namespace lvrpo::numbers
