#include "verifiers/number_tokens/number_tokens.h"

#include "absl/strings/ascii.h"
#include "data/unicode/unicode.h"
#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_units.h"
#include "verifiers/number_tokens/tokenizer.h"

namespace lvrpo::numbers {

std::vector<Token> Tokenize(absl::string_view text, const TokenizeOptions& options) {
  std::vector<Token> tokens = Tokenizer(text, options).Run();
  if (!tokens.empty()) tokens.front().gap = Gap::kBreak;
  return tokens;
}

bool IsSymbol(const Token& token, char32_t symbol) {
  return token.kind == TokenKind::kSymbol && token.symbol == symbol;
}
bool IsOpening(const Token& token) {
  return token.kind == TokenKind::kSymbol &&
         (token.symbol == U'(' || token.symbol == U'[' || token.symbol == U'{');
}
bool IsClosing(const Token& token) {
  return token.kind == TokenKind::kSymbol &&
         (token.symbol == U')' || token.symbol == U']' || token.symbol == U'}');
}
bool IsMinusSign(const Token& token) {
  return IsSymbol(token, symbol::kHyphen) || IsSymbol(token, symbol::kDash) ||
         IsSymbol(token, symbol::kMinus);
}
bool IsOperator(const Token& token) {
  return IsMinusSign(token) || IsSymbol(token, U'+') || IsSymbol(token, U'/') ||
         IsSymbol(token, symbol::kTimes) || IsSymbol(token, symbol::kDivide);
}
bool IsNumeral(const Token& token) {
  return token.kind == TokenKind::kDigits || token.kind == TokenKind::kVulgar ||
         token.kind == TokenKind::kExponent || token.kind == TokenKind::kBox;
}
bool IsUnspacedWord(const Token& token) {
  if (token.kind != TokenKind::kWord) return false;
  size_t at = 0;
  return IsUnspaced(unicode::NextCodePoint(token.raw, &at));
}
bool IsLetter(const Token& token) {
  if (token.kind != TokenKind::kWord || IsUnspacedWord(token)) return false;
  size_t at = 0;
  unicode::NextCodePoint(token.raw, &at);
  return at == token.raw.size();
}
bool IsWordLetter(absl::string_view word) {
  for (const absl::string_view letter : {"a", "e", "i", "o", "u", "y", "A", "I", "O", "E", "Y"}) {
    if (word == letter) return true;
  }
  return false;
}
bool IsVariable(const Token& token) {
  return IsLetter(token) && !IsWordLetter(token.raw) && token.raw.size() == 1 &&
         absl::ascii_islower(static_cast<unsigned char>(token.raw[0])) && !IsUnit(token.raw);
}

}  // namespace lvrpo::numbers
