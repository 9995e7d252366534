#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

// Tokens of text and LaTeX for reading numbers.
namespace lvrpo::numbers {

enum class TokenKind : uint8_t {
  kDigits,    // decimal digits of one run
  kVulgar,    // a one-character fraction, or raised digits, a slash and lowered ones
  kExponent,  // "e-3" right after digits or their point
  kWord,      // letters; one character or one known term in scripts without blanks
  kName,      // letters with digits: "H2O", "x_1", "v1.2"
  kFraction,  // \frac and its like
  kCommand,   // any other LaTeX command: a variable or a function
  kSymbol,    // everything else, see number_characters.h
  kBox,       // the number of a box, read apart
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
  bool currency;    // a currency sign is in the gap
  char32_t symbol;  // of kSymbol, canonical; else 0
  size_t partner;   // of a bracket: the token that closes or opens it; kNoPartner if none
  absl::string_view raw;
};
constexpr size_t kNoPartner = static_cast<size_t>(-1);

struct TokenizeOptions {
  bool alone = false;  // the content of a box or a tag: no line of it is quoted, and an arrow is a relation
  size_t box = kNoPartner;  // where one character of the text stands for a box
};

// Marks, invisible characters, fonts and spaces are dropped, and so is what is struck out; superscripts
// become "^{...}", and braces around one sign or separator are removed. One pass. Needs well-formed UTF-8
// that outlives the tokens.
std::vector<Token> Tokenize(absl::string_view text, const TokenizeOptions& options = {});

bool IsSymbol(const Token& token, char32_t symbol);
bool IsOpening(const Token& token);
bool IsClosing(const Token& token);
bool IsMinusSign(const Token& token);
// + - x / and their like.
bool IsOperator(const Token& token);
bool IsNumeral(const Token& token);
// A word of one letter that may be a variable; "a" and "I" are no more than that in formulas.
bool IsLetter(const Token& token);
// Letters that may be words between others: "a", "I".
bool IsWordLetter(absl::string_view word);
// A small Latin letter that is neither a word nor a unit.
bool IsVariable(const Token& token);
// A word of a script without blanks between words.
bool IsUnspacedWord(const Token& token);

}  // namespace lvrpo::numbers
