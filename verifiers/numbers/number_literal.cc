#include "verifiers/numbers/number_literal.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "verifiers/number_tokens/number_characters.h"

namespace lvrpo::numbers {
namespace {

constexpr size_t kGroup = 3;

struct Part {
  char32_t separator;  // before the digits; 0 before the first ones
  std::string digits;
};
using Parts = std::vector<Part>;

bool IsGluedDigits(const std::vector<Token>& tokens, size_t at) {
  return at < tokens.size() && tokens[at].kind == TokenKind::kDigits && tokens[at].gap == Gap::kNone;
}

bool IsSeparator(const Token& token) {
  if (token.kind != TokenKind::kSymbol || token.gap != Gap::kNone) return false;
  switch (token.symbol) {
    case U'.':
    case U',':
    case U'\'':
    case U'_':
    case U':':
    case symbol::kListComma:
      return true;
    default:
      return false;
  }
}

// Whether the first `count` parts are thousands: one to three digits, then threes after `separator`.
bool IsGrouped(const Parts& parts, size_t count, char32_t separator) {
  const std::string& first = parts[0].digits;
  if (count < 2 || first.empty() || first.size() > kGroup || first[0] == '0') return false;
  for (size_t i = 1; i < count; ++i) {
    if (parts[i].separator != separator || parts[i].digits.size() != kGroup) return false;
  }
  return true;
}

std::string Joined(const Parts& parts, size_t count) {
  std::string digits;
  for (size_t i = 0; i < count; ++i) digits += parts[i].digits;
  return digits;
}

bool Groups(char32_t c) {
  return c == U',' || c == U'\'' || c == U'_' || c == U' ' || c == symbol::kListComma;
}

// What the parts are as one decimal number; empty if they are none.
std::string Interpreted(const Parts& parts, bool* whole) {
  const size_t count = parts.size();
  *whole = true;
  if (count == 1) return parts[0].digits;
  const char32_t first = parts[1].separator, last = parts[count - 1].separator;
  if ((Groups(first) || (first == U'.' && count > 2)) && IsGrouped(parts, count, first))
    return Joined(parts, count);
  *whole = false;
  if (last != U'.' && last != U',') return "";
  const bool alone = count == 2;
  const bool groups =
      !alone && first != last && (Groups(first) || first == U'.') && IsGrouped(parts, count - 1, first);
  if (!alone && !groups) return "";
  if (parts[0].digits.empty() && last == U',') return "";
  return absl::StrCat(Joined(parts, count - 1), ".", parts[count - 1].digits);
}

// Thousands after blanks: all numbers of the row have to be groups, or it is a row of numbers.
bool AddBlankGroups(const std::vector<Token>& tokens, size_t* at, Parts* parts) {
  const std::string& first = parts->front().digits;
  if (first.empty() || first.size() > kGroup || first[0] == '0') return false;
  Parts groups;
  size_t next = *at;
  for (; next < tokens.size() && tokens[next].kind == TokenKind::kDigits && tokens[next].gap == Gap::kBlank;
       ++next) {
    groups.push_back({U' ', FoldedDigits(tokens[next].raw)});
    if (groups.back().digits.size() != kGroup) return false;
  }
  if (groups.empty()) return false;
  if (next < tokens.size() && IsSymbol(tokens[next], U'/') && tokens[next].gap <= Gap::kBlank) return false;
  parts->insert(parts->end(), groups.begin(), groups.end());
  *at = next;
  return true;
}

}  // namespace

Literal ReadLiteral(const std::vector<Token>& tokens, size_t at) {
  Literal literal;
  Parts parts;
  size_t next = at;
  if (at >= tokens.size()) return literal;
  if (tokens[at].kind == TokenKind::kDigits) {
    parts.push_back({0, FoldedDigits(tokens[next++].raw)});
  } else if (IsSymbol(tokens[at], U'.') && IsGluedDigits(tokens, at + 1)) {
    parts = {{0, ""}, {U'.', FoldedDigits(tokens[at + 1].raw)}};
    next += 2;
  } else {
    return literal;
  }
  literal.found = true;
  const bool in_row = at > 0 && tokens[at].gap == Gap::kBlank && tokens[at - 1].kind == TokenKind::kDigits;
  const bool glued = next < tokens.size() && IsSeparator(tokens[next]) && IsGluedDigits(tokens, next + 1);
  if (!in_row && !glued && parts.size() == 1) AddBlankGroups(tokens, &next, &parts);
  while (next < tokens.size() && IsSeparator(tokens[next])) {
    const char32_t separator = tokens[next].symbol;
    if (!IsGluedDigits(tokens, next + 1)) {
      const bool exponent = separator == U'.' && next + 1 < tokens.size() &&
                            tokens[next + 1].kind == TokenKind::kExponent &&
                            tokens[next + 1].gap == Gap::kNone;
      if (exponent) ++next;  // "3.e2"
      break;
    }
    std::string digits = FoldedDigits(tokens[next + 1].raw);
    // A list: "3，4".
    if (separator == symbol::kListComma && digits.size() != kGroup) break;
    parts.push_back({separator, std::move(digits)});
    next += 2;
  }
  literal.end = next;
  literal.decimal = Interpreted(parts, &literal.whole);
  literal.valid = !literal.decimal.empty();
  // "(3,4)" is a point or an interval.
  const bool decimal_comma = !literal.whole && parts.back().separator == U',';
  if (decimal_comma && at > 0 && next < tokens.size() && IsOpening(tokens[at - 1]) &&
      IsClosing(tokens[next]) && tokens[at - 1].symbol != U'{')
    literal.valid = false;
  return literal;
}

}  // namespace lvrpo::numbers
