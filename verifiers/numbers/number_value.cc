#include "verifiers/numbers/number_value.h"

#include <cmath>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "data/unicode/unicode.h"
#include "verifiers/number_tokens/number_characters.h"
#include "verifiers/numbers/number_literal.h"
#include "verifiers/numbers/number_powers.h"
#include "verifiers/numbers/unit_end.h"

namespace lvrpo::numbers {
namespace {

Value Bad(size_t end) { return {.found = true, .bad = true, .end = end}; }
Value Read(std::optional<double> value, bool whole, size_t end) {
  if (!value || !std::isfinite(*value)) return Bad(end);
  return {.found = true, .whole = whole, .value = *value, .end = end};
}

std::optional<double> ToDouble(const std::string& decimal) {
  double value = 0;
  if (!absl::SimpleAtod(decimal, &value)) return std::nullopt;
  return value;
}

class Reader {
 public:
  explicit Reader(const std::vector<Token>& tokens) : tokens_(tokens) {}

  // Digits with an exponent: "1.5e3", "10^3".
  Value Decimal(size_t at) const {
    const size_t ten = TenEnd(tokens_, at);
    std::string power;
    if (ten > at && Symbol(ten, U'^') && tokens_[ten].gap <= Gap::kBlank && UnitEnd(tokens_, ten) == ten) {
      size_t end = ten;
      if (!ReadExponent(tokens_, ten, &power, &end)) return Bad(ten);
      return Read(ToDouble(absl::StrCat("1e", power)), false, end);
    }
    const Literal literal = ReadLiteral(tokens_, at);
    if (!literal.found) return {};
    size_t end = literal.end;
    const bool scientific = ReadScientific(tokens_, &end, &power);
    if (!literal.valid) return Bad(end);
    return Read(ToDouble(literal.decimal + power), literal.whole && !scientific, end);
  }

  // \frac{-3}{4}, \frac34, \frac3{4}. Not found when an argument is no number.
  Value Fraction(size_t at) const {
    if (!Is(at, TokenKind::kFraction)) return {};
    size_t next = at + 1;
    if (Is(next, TokenKind::kDigits)) {
      const std::string digits = FoldedDigits(tokens_[next].raw);
      if (digits.size() == 2) return Quotient(digits[0] - '0', digits[1] - '0', next + 1);
      if (digits.size() > 2) return {};
    }
    const Value above = Argument(&next);
    const Value below = Argument(&next);
    if (!above.found || !below.found || above.bad || below.bad) return {};
    return Quotient(above.value, below.value, next);
  }

  // A number with a power of ten after it, which belongs to all of it: "1/2 x 10^3".
  Value Number(size_t at) const { return Powered(Unscaled(at)); }
  Value Powered(const Value& value) const {
    std::string power;
    size_t end = value.end;
    if (!value.found || value.bad || !ReadTimesTen(tokens_, &end, &power)) return value;
    const std::optional<double> scale = ToDouble(absl::StrCat("1", power));
    return Read(scale ? std::optional(value.value * *scale) : std::nullopt, false, end);
  }

 private:
  bool Is(size_t at, TokenKind kind) const { return at < tokens_.size() && tokens_[at].kind == kind; }
  bool Symbol(size_t at, char32_t symbol) const {
    return at < tokens_.size() && IsSymbol(tokens_[at], symbol);
  }

  // Fractions and mixed numbers; the power of ten of a fraction is left.
  Value Unscaled(size_t at) const {
    if (at >= tokens_.size()) return {};
    if (Is(at, TokenKind::kBox)) return {.found = true, .value = 1, .end = at + 1};
    if (Is(at, TokenKind::kVulgar)) return Vulgar(at);
    if (Symbol(at, U'(')) return Bracketed(at);
    if (const Value fraction = Fraction(at); fraction.found) return fraction;
    const Value decimal = Decimal(at);
    if (!decimal.found) return decimal;
    if (decimal.whole && !decimal.bad) {
      if (const Value mixed = Mixed(decimal); mixed.found) return mixed;
    }
    return Slashed(decimal);
  }

  static Value Quotient(double above, double below, size_t end) {
    return below == 0 ? Bad(end) : Read(above / below, false, end);
  }

  // One digit, or a signed decimal in braces, and perhaps in more brackets.
  Value Argument(size_t* at) const {
    if (Is(*at, TokenKind::kDigits)) {
      const std::string digits = FoldedDigits(tokens_[*at].raw);
      if (digits.size() != 1) return {};
      return Read(digits[0] - '0', true, ++*at);
    }
    if (!Symbol(*at, U'{') || tokens_[*at].partner == kNoPartner) return {};
    const size_t end = tokens_[*at].partner + 1;
    size_t inside = *at + 1, close = end - 1;
    while (IsOpening(tokens_[inside]) && tokens_[inside].partner == close - 1) {
      ++inside;
      --close;
    }
    const bool minus = inside < close && IsMinusSign(tokens_[inside]);
    if (minus || Symbol(inside, U'+')) ++inside;
    Value value = Powered(Decimal(inside));
    if (!value.found || value.end != close) return {};
    if (minus) value.value = -value.value;
    *at = end;
    return value;
  }

  // One character, or two rows of digits with a slash and what raises and lowers them between.
  Value Vulgar(size_t at) const {
    const absl::string_view raw = tokens_[at].raw;
    size_t begin = 0;
    if (const std::optional<Ratio> ratio = VulgarFraction(unicode::NextCodePoint(raw, &begin)))
      return Quotient(ratio->above, ratio->below, at + 1);
    std::string rows[2];
    for (size_t from = 0, to = 0, row = 0; from < raw.size(); from = to) {
      unicode::NextCodePoint(raw, &to);
      const std::string digit = FoldedDigits(raw.substr(from, to - from));
      if (digit.empty() && !rows[0].empty()) row = 1;
      rows[row] += digit;
    }
    const std::optional<double> above = ToDouble(rows[0]), below = ToDouble(rows[1]);
    return above && below ? Quotient(*above, *below, at + 1) : Bad(at + 1);
  }

  // A whole number and a proper fraction: "1 3/4", "1\frac{3}{4}", "1½".
  Value Mixed(const Value& whole) const {
    const size_t at = whole.end;
    if (at >= tokens_.size() || tokens_[at].gap > Gap::kBlank) return {};
    Value part = Is(at, TokenKind::kVulgar) ? Vulgar(at) : Fraction(at);
    if (part.found) {
      const bool proper = !part.bad && part.value > 0 && part.value < 1;
      return proper ? Read(whole.value + part.value, false, part.end) : Bad(part.end);
    }
    if (!Is(at, TokenKind::kDigits) || tokens_[at].gap != Gap::kBlank) return {};
    const Value above = Decimal(at);
    if (above.bad || !above.whole || !Symbol(above.end, U'/')) return {};
    part = Slashed(above);
    if (part.bad || part.end == above.end || part.value <= 0 || part.value >= 1) return {};
    return Read(whole.value + part.value, false, part.end);
  }

  // "/4" after a decimal. A third part makes a date of it.
  Value Slashed(const Value& above) const {
    if (!IsSlash(above.end)) return above;
    const Value below = Below(above.end + 1);
    if (!below.found) return above;
    size_t end = below.end;
    bool date = false;
    while (Symbol(end, U'/')) {
      const Value more = Decimal(end + 1);
      if (!more.found) break;
      date = true;
      end = more.end;
    }
    if (date || above.bad || below.bad) return Bad(end);
    return Quotient(above.value, below.value, end);
  }
  bool IsSlash(size_t at) const {
    return Symbol(at, U'/') && tokens_[at].gap <= Gap::kBlank && at + 1 < tokens_.size() &&
           tokens_[at + 1].gap <= Gap::kBlank;
  }

  // What is below a slash: a decimal, perhaps with a sign right before it, or one in brackets.
  Value Below(size_t at) const {
    if (Symbol(at, U'(') || Symbol(at, U'{')) return InBrackets(at);
    const bool minus = IsMinusSign(tokens_[at]) && tokens_[at].gap == Gap::kNone;
    Value value = Decimal(minus ? at + 1 : at);
    if (minus) value.value = -value.value;
    return value;
  }

  // "(1)/(2)". Brackets without a fraction are not read here.
  Value Bracketed(size_t at) const {
    const Value above = InBrackets(at);
    if (!above.found || above.bad || !IsSlash(above.end)) return {};
    const Value whole = Slashed(above);
    return whole.end > above.end ? whole : Value();
  }

  Value InBrackets(size_t at) const {
    const size_t close = tokens_[at].partner;
    if (close == kNoPartner || at + 1 >= close) return {};
    const bool minus = IsMinusSign(tokens_[at + 1]);
    Value value = Decimal(minus ? at + 2 : at + 1);
    if (!value.found || value.end != close) return {};
    if (minus) value.value = -value.value;
    value.end = close + 1;
    return value;
  }

  const std::vector<Token>& tokens_;
};

}  // namespace

Value ReadValue(const std::vector<Token>& tokens, size_t at) { return Reader(tokens).Number(at); }

}  // namespace lvrpo::numbers
