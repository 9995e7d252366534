#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "verifiers/answers/html_entities.h"
#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/number_tokens/number_tokens.h"
#include "verifiers/number_tokens/number_units.h"
#include "verifiers/number_tokens/number_words.h"
#include "verifiers/numbers/number_denials.h"
#include "verifiers/numbers/number_equations.h"
#include "verifiers/numbers/number_grammar.h"
#include "verifiers/numbers/number_in_text.h"
#include "verifiers/numbers/number_powers.h"
#include "verifiers/numbers/number_ratio.h"
#include "verifiers/numbers/number_trail.h"

namespace lvrpo {
namespace {

using namespace numbers;  // NOLINT: one subject, two files

constexpr int kMostBrackets = 16;
constexpr double kSame = 1e-6, kAbout = 0.01;  // relative: "1/2 = 0.5", "1/3 ≈ 0.33"

// Content of a box or a tag. Ranges of tokens are half-open.
class Content {
 public:
  explicit Content(absl::string_view text) : tokens_(Tokenize(text, {.alone = true})) {}

  std::optional<NumberInText> Read() const {
    size_t begin = 0, end = tokens_.size();
    Unwrap(&begin, &end);
    std::optional<NumberInText> first;
    char32_t relation = 0;
    for (size_t at = begin, depth = 0; at < end; ++at) {
      if (IsOpening(tokens_[at])) ++depth;
      if (IsClosing(tokens_[at]) && depth > 0) --depth;
      const bool equals = IsSymbol(tokens_[at], U'='), almost = IsSymbol(tokens_[at], symbol::kAlmost);
      if (depth > 0 || !(equals || almost)) continue;
      const bool empty = at == begin;
      if (!empty && !IsNamed(begin, at)) {
        const std::optional<NumberInText> number = Side(begin, at);
        if (number ? !Agrees(*number, relation, &first)
                   : !IsArithmetic(tokens_, begin, at, ReadQuantity(tokens_, at + 1)))
          return std::nullopt;
      }
      if (empty && relation != 0 && !almost) return std::nullopt;
      relation = tokens_[at].symbol;
      begin = at + 1;
    }
    const std::optional<NumberInText> number = Side(begin, end);
    return number && Agrees(*number, relation, &first) ? first : std::nullopt;
  }

 private:
  bool Symbol(size_t at, size_t end, char32_t symbol) const {
    return at < end && IsSymbol(tokens_[at], symbol);
  }

  // Strips brackets around everything, and the full stop after it.
  void Unwrap(size_t* begin, size_t* end) const {
    while (*begin < *end) {
      const Token& last = tokens_[*end - 1];
      if (last.kind == TokenKind::kSymbol &&
          (last.symbol == U'.' || last.symbol == U',' || last.symbol == U';' || last.symbol == U'\u3002' ||
           last.symbol == symbol::kEllipsis)) {
        --*end;
      } else if (IsOpening(tokens_[*begin]) && tokens_[*begin].partner == *end - 1) {
        ++*begin;
        --*end;
      } else {
        return;
      }
    }
  }

  // Whether tokens [begin, end) before an equals sign are the name of its value.
  bool IsNamed(size_t begin, size_t end) const {
    const size_t square = SquaredNameBegin(tokens_, end, ReadQuantity(tokens_, end + 1));
    return (square < end && square == begin) || IsName(tokens_, begin, square);
  }

  // Whether the number is the first of a chain of equal ones, which counts, or equal to that.
  static bool Agrees(const NumberInText& number, char32_t relation, std::optional<NumberInText>* first) {
    if (!*first) {
      *first = number;
      return true;
    }
    const double a = (*first)->percent ? (*first)->value / 100 : (*first)->value;
    const double b = number.percent ? number.value / 100 : number.value;
    return std::abs(a - b) <= (relation == U'=' ? kSame : kAbout) * std::abs(a);
  }

  // Words, a number, words.
  std::optional<NumberInText> Side(size_t begin, size_t end) const {
    Unwrap(&begin, &end);
    while (begin < end && IsLead(begin, end)) ++begin;
    if (DeniedBefore(tokens_, begin) || IsRatioBefore(tokens_, 0, begin)) return std::nullopt;
    if (begin > 0 && tokens_[begin - 1].kind == TokenKind::kWord && IsNumberWord(tokens_[begin - 1].raw) &&
        !IsInBrackets(begin, end))
      return std::nullopt;
    return Signed(begin, end, 0);
  }

  // Whether a whole number in brackets is all that is left: "twelve (12)".
  bool IsInBrackets(size_t begin, size_t end) const {
    if (!Symbol(begin, end, U'(') || tokens_[begin].partner != end - 1) return false;
    const Quantity quantity = ReadQuantity(tokens_, begin + 1);
    return quantity.state == Quantity::State::kRead && quantity.plain && quantity.end == end - 1;
  }

  // Whether a word, or a mark after one, may precede the number.
  bool IsLead(size_t at, size_t end) const {
    const Token& token = tokens_[at];
    if (token.kind == TokenKind::kWord) {
      if (IsMinusWord(token.raw) || DeniesAnswer(token.raw) || ChangesNumberBehind(token.raw)) return false;
      if (IsPercentBefore(token.raw) || (IsUnspacedWord(token) && ChangesNumberBefore(token.raw)))
        return false;
      const bool of = at + 1 < end && IsOfWord(tokens_[at + 1].raw);
      if (of && (IsMathNoun(token.raw) || IsPart(token.raw))) return false;
      if (at > 0 && IsBy(token.raw) && IsOperation(tokens_[at - 1].raw)) return false;
      if (at + 1 < end && IsPart(token.raw) && IsClockWord(tokens_[at + 1].raw)) return false;
      if (JoinsNumber(token.raw) && at + 1 < end && tokens_[at + 1].kind != TokenKind::kWord) return false;
      if (IsLetter(token)) return Symbol(at + 1, end, U':') || token.raw == "a" || IsOfCurrency(at, end);
      return true;
    }
    if (token.kind == TokenKind::kName) return Symbol(at + 1, end, U':');
    if (IsSymbol(token, symbol::kAlmost) || IsSymbol(token, U'#')) return true;
    return (IsSymbol(token, U':') || (IsSymbol(token, U'.') && token.gap == Gap::kNone)) && at > 0 &&
           (tokens_[at - 1].kind == TokenKind::kWord || tokens_[at - 1].kind == TokenKind::kName);
  }

  // "R$5", "A$5": the letter of a country before a currency sign.
  bool IsOfCurrency(size_t at, size_t end) const {
    return at + 1 < end && IsCapitals(tokens_[at].raw) && tokens_[at + 1].currency &&
           tokens_[at + 1].gap == Gap::kMark;
  }

  std::optional<NumberInText> Signed(size_t at, size_t end, int depth) const {
    bool negative = false;
    if (at < end && (IsMinusSign(tokens_[at]) ||
                     (tokens_[at].kind == TokenKind::kWord && IsMinusWord(tokens_[at].raw)))) {
      negative = true;
      ++at;
    } else if (Symbol(at, end, U'+')) {
      ++at;
    }
    if (at < end && tokens_[at].kind == TokenKind::kWord && IsCurrencyCode(tokens_[at].raw)) ++at;
    std::optional<NumberInText> number = Unsigned(&at, end, depth);
    if (!number || !IsTrail(tokens_, at, end)) return std::nullopt;
    if (negative) number->value = -number->value;
    return number;
  }

  std::optional<NumberInText> Unsigned(size_t* at, size_t end, int depth) const {
    const size_t ten = TenEnd(tokens_, *at);
    const bool power = ten > *at && Symbol(ten, end, U'^');  // "{10}^6"
    if (*at < end && !power && IsOpening(tokens_[*at]) && tokens_[*at].partner != kNoPartner &&
        tokens_[*at].partner < end) {
      if (depth == kMostBrackets) return std::nullopt;
      const size_t close = tokens_[*at].partner;
      std::optional<NumberInText> inside = Signed(*at + 1, close, depth + 1);
      *at = close + 1;
      if (Symbol(*at, end, U'/') && *at + 1 < end && inside) return Over(*inside, at, end, depth);
      if (inside && ReadPercent(tokens_, *at, at)) inside->percent = true;
      return inside;
    }
    const bool percent_before =
        *at < end && tokens_[*at].kind == TokenKind::kWord && IsPercentBefore(tokens_[*at].raw);
    if (percent_before) ++*at;
    if (*at >= end) return std::nullopt;
    const Quantity quantity = ReadQuantity(tokens_, *at);
    if (quantity.state != Quantity::State::kRead || quantity.end > end) return std::nullopt;
    *at = quantity.end;
    return NumberInText{quantity.value, quantity.percent || percent_before};
  }

  // "{3} \over {4}".
  std::optional<NumberInText> Over(const NumberInText& above, size_t* at, size_t end, int depth) const {
    ++*at;
    const std::optional<NumberInText> below = Unsigned(at, end, depth + 1);
    if (!below || below->percent || above.percent || below->value == 0) return std::nullopt;
    const double value = above.value / below->value;
    return std::isfinite(value) ? std::optional(NumberInText{value, false}) : std::nullopt;
  }

  const std::vector<Token> tokens_;
};

}  // namespace

std::optional<NumberInText> WholeNumber(absl::string_view content) {
  const std::string decoded = WithoutEntities(content);
  return Content(decoded).Read();
}

}  // namespace lvrpo
