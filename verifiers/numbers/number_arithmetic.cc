#include <string>

#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_units.h"
#include "verifiers/number_tokens/number_words.h"
#include "verifiers/numbers/number_equations.h"
#include "verifiers/numbers/number_powers.h"

namespace lvrpo::numbers {
namespace {

constexpr size_t kMostNameTokens = 5;  // "R^{2}"

bool IsOfArithmetic(const Token& token) {
  if (IsOperator(token) || IsOpening(token) || IsClosing(token)) return true;
  switch (token.symbol) {
    case U'^':
    case U'_':
    case U'!':
    case U'|':
    case U'%':
    case symbol::kRoot:
    case symbol::kConstant:
    case symbol::kDegree:
      return true;
    default:
      return false;
  }
}

// Right before digits.
bool IsDecimalMark(const std::vector<Token>& tokens, size_t at) {
  return (IsSymbol(tokens[at], U'.') || IsSymbol(tokens[at], U',')) && at + 1 < tokens.size() &&
         tokens[at + 1].kind == TokenKind::kDigits && tokens[at + 1].gap == Gap::kNone;
}

}  // namespace

size_t SquaredNameBegin(const std::vector<Token>& tokens, size_t end, const Quantity& value) {
  const auto is_name = [&](size_t at) {
    const absl::string_view raw = tokens[at].raw;
    if (raw == "\u03C7" || raw == "\\chi") return true;
    const bool share = raw == "R" || raw == "r" || raw == "\u03B7" || raw == "\\eta";
    return share && value.value <= 1;
  };
  for (size_t begin = end; begin > 0 && end - begin < kMostNameTokens; --begin) {
    if (!is_name(begin - 1)) continue;
    size_t at = begin;
    std::string exponent;
    if (ReadExponent(tokens, at, &exponent, &at)) return at == end && exponent == "2" ? begin - 1 : end;
    if (IsSymbol(tokens[at], symbol::kHyphen)) ++at;
    return at + 1 == end && tokens[at].raw == "squared" ? begin - 1 : end;
  }
  return end;
}

bool IsArithmetic(const std::vector<Token>& tokens, size_t begin, size_t end, const Quantity& value) {
  bool numeral = false;
  for (size_t at = begin; at < end; ++at) {
    const Token& token = tokens[at];
    switch (token.kind) {
      case TokenKind::kWord:
        if (!IsFunctionWord(token.raw) && !(value.has_unit && IsUnit(token.raw))) return false;
        break;
      case TokenKind::kCommand:
        if (!IsFunctionWord(token.raw.substr(1))) return false;
        break;
      case TokenKind::kSymbol:
        if (!IsOfArithmetic(token) && !IsDecimalMark(tokens, at)) return false;
        break;
      case TokenKind::kName:
      case TokenKind::kBox:
        return false;
      default:
        numeral = true;
    }
  }
  return numeral;
}

}  // namespace lvrpo::numbers
