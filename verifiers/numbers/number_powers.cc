#include "verifiers/numbers/number_powers.h"

#include "absl/strings/str_cat.h"
#include "data/unicode/unicode.h"
#include "verifiers/number_tokens/number_characters.h"

namespace lvrpo::numbers {
namespace {

constexpr size_t kMostExponentBrackets = 4;
constexpr size_t kMostExponentDigits = 6;  // beyond it a double is 0 or infinite anyway

// The digits of an exponent, or as many as say that it is beyond all bounds.
std::string Bounded(absl::string_view digits) {
  while (digits.size() > 1 && digits[0] == '0') digits.remove_prefix(1);
  return std::string(digits.substr(0, kMostExponentDigits));
}

std::string FoldedExponent(absl::string_view raw) {
  size_t at = 0;
  unicode::NextCodePoint(raw, &at);  // the letter
  const char32_t sign = Canonical(unicode::NextCodePoint(raw, &at));
  const bool minus = sign == symbol::kHyphen || sign == symbol::kMinus;
  return absl::StrCat("e", minus ? "-" : "", Bounded(FoldedDigits(raw)));
}

bool IsKind(const std::vector<Token>& tokens, size_t at, TokenKind kind) {
  return at < tokens.size() && tokens[at].kind == kind;
}
bool HasSymbol(const std::vector<Token>& tokens, size_t at, char32_t symbol) {
  return at < tokens.size() && IsSymbol(tokens[at], symbol);
}

}  // namespace

bool ReadExponent(const std::vector<Token>& tokens, size_t at, std::string* exponent, size_t* end) {
  const auto symbol = [&](size_t place, char32_t c) {
    return place < tokens.size() && IsSymbol(tokens[place], c) && tokens[place].gap <= Gap::kBlank;
  };
  if (!symbol(at, U'^')) return false;
  size_t next = at + 1, brackets = 0;  // "^{(-3)}", "^{{3}}"
  while (brackets < kMostExponentBrackets && next < tokens.size() &&
         (symbol(next, U'{') || symbol(next, U'(')) && tokens[next].partner != kNoPartner) {
    ++next;
    ++brackets;
  }
  const bool minus = next < tokens.size() && IsMinusSign(tokens[next]);
  if (minus || symbol(next, U'+')) ++next;
  if (next >= tokens.size() || tokens[next].kind != TokenKind::kDigits || tokens[next].gap == Gap::kBreak)
    return false;
  const std::string digits = FoldedDigits(tokens[next].raw);
  ++next;
  for (size_t closed = 0; closed < brackets; ++closed, ++next) {
    if (next >= tokens.size() || tokens[next].partner != at + brackets - closed) return false;
  }
  if (brackets == 0 && next + 1 < tokens.size() && tokens[next].gap == Gap::kNone && symbol(next, U'.') &&
      tokens[next + 1].gap == Gap::kNone && tokens[next + 1].kind == TokenKind::kDigits)
    return false;  // 10^3.5
  *exponent = absl::StrCat(minus ? "-" : "", Bounded(digits));
  *end = next;
  return true;
}

size_t TenEnd(const std::vector<Token>& tokens, size_t at) {
  const size_t digits = HasSymbol(tokens, at, U'{') ? at + 1 : at;
  if (!IsKind(tokens, digits, TokenKind::kDigits) || FoldedDigits(tokens[digits].raw) != "10") return at;
  if (digits == at) return at + 1;
  return tokens[at].partner == digits + 1 ? digits + 2 : at;
}

bool ReadScientific(const std::vector<Token>& tokens, size_t* end, std::string* power) {
  if (IsKind(tokens, *end, TokenKind::kExponent) && tokens[*end].gap <= Gap::kBlank) {
    *power = FoldedExponent(tokens[(*end)++].raw);
    return true;
  }
  const bool letter = IsKind(tokens, *end, TokenKind::kWord) && tokens[*end].in_words &&
                      tokens[*end].gap == Gap::kNone && (tokens[*end].raw == "e" || tokens[*end].raw == "E");
  if (!letter) return false;
  size_t at = *end + 1;
  const size_t close = HasSymbol(tokens, at, U'{') ? tokens[at++].partner : kNoPartner;
  const bool minus = at < tokens.size() && IsMinusSign(tokens[at]);
  if (minus || HasSymbol(tokens, at, U'+')) ++at;
  if (!IsKind(tokens, at, TokenKind::kDigits) || (close != kNoPartner && close != at + 1)) return false;
  *power = absl::StrCat("e", minus ? "-" : "", Bounded(FoldedDigits(tokens[at].raw)));
  *end = close == kNoPartner ? at + 1 : close + 1;
  return true;
}

bool ReadTimesTen(const std::vector<Token>& tokens, size_t* end, std::string* power) {
  if (!HasSymbol(tokens, *end, symbol::kTimes) || tokens[*end].gap > Gap::kBlank) return false;
  const size_t ten = TenEnd(tokens, *end + 1);
  size_t after = ten;
  std::string exponent;
  if (ten == *end + 1 || !ReadExponent(tokens, ten, &exponent, &after)) return false;
  *power = absl::StrCat("e", exponent);
  *end = after;
  return true;
}

}  // namespace lvrpo::numbers
