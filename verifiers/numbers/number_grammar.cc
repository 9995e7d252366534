#include "verifiers/numbers/number_grammar.h"

#include <cmath>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "data/unicode/unicode.h"
#include "verifiers/numbers/number_characters.h"
#include "verifiers/numbers/number_literal.h"
#include "verifiers/numbers/number_words.h"

namespace lvrpo::numbers {
namespace {

constexpr size_t kMostExponentDigits = 6;  // beyond it a double is 0 or infinite anyway

using State = Quantity::State;

// A part of a quantity. `bad`: present but malformed.
struct Value {
  bool found = false, bad = false, whole = false;
  double value = 0;
  size_t end = 0;
};

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

// The digits of an exponent, or as many as say that it is beyond all bounds.
std::string Bounded(absl::string_view digits) {
  while (digits.size() > 1 && digits[0] == '0') digits.remove_prefix(1);
  return std::string(digits.substr(0, kMostExponentDigits));
}

class Reader {
 public:
  explicit Reader(const std::vector<Token>& tokens) : tokens_(tokens) {}

  // Digits with a power of ten.
  Value Decimal(size_t at) const {
    const Literal literal = ReadLiteral(tokens_, at);
    if (!literal.found) return {};
    size_t end = literal.end;
    std::string power;
    bool whole = literal.whole;
    if (Is(end, TokenKind::kExponent) && tokens_[end].gap == Gap::kNone) {
      power = FoldedExponent(tokens_[end++].raw);
      whole = false;
    } else if (IsPower(at, literal.end) && Ordinal(literal.end) == literal.end) {
      if (!ReadExponent(tokens_, literal.end, &power, &end)) return Bad(literal.end);
      return Read(ToDouble(absl::StrCat("1e", power)), false, end);
    } else if (Symbol(end, symbol::kTimes) && tokens_[end].gap <= Gap::kBlank && IsPower(end + 1, end + 2)) {
      if (!ReadExponent(tokens_, end + 2, &power, &end)) return Bad(literal.end);
      power = absl::StrCat("e", power);
      whole = false;
    }
    if (!literal.valid) return Bad(end);
    return Read(ToDouble(literal.decimal + power), whole, end);
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

  Value Number(size_t at) const {
    if (at >= tokens_.size()) return {};
    if (Is(at, TokenKind::kVulgar)) return Vulgar(at);
    if (const Value fraction = Fraction(at); fraction.found) return fraction;
    const Value decimal = Decimal(at);
    if (!decimal.found) return decimal;
    if (decimal.whole && !decimal.bad) {
      if (const Value mixed = Mixed(decimal); mixed.found) return mixed;
    }
    return Slashed(decimal);
  }

  // Words and signs after the number.
  Quantity After(const Value& number) const {
    Quantity quantity;
    quantity.end = number.end;
    quantity.state = number.bad ? State::kBad : State::kRead;
    quantity.value = number.value;
    quantity.plain = number.whole;
    while (true) {
      const std::optional<double> scale =
          Is(quantity.end, TokenKind::kWord) && tokens_[quantity.end].gap <= Gap::kBlank
              ? ScaleOf(tokens_[quantity.end].raw, tokens_[quantity.end].gap <= Gap::kMark)
              : std::nullopt;
      if (!scale) break;
      quantity.value *= *scale;
      quantity.scaled = true;
      quantity.plain = false;
      ++quantity.end;
    }
    if (!std::isfinite(quantity.value)) quantity.state = State::kBad;
    if (ReadPercent(tokens_, quantity.end, &quantity.end)) {
      quantity.percent = true;
    } else {
      const size_t after = Unit(quantity.end);
      quantity.has_unit = after > quantity.end;
      quantity.end = after;
    }
    return quantity;
  }

 private:
  bool Is(size_t at, TokenKind kind) const { return at < tokens_.size() && tokens_[at].kind == kind; }
  bool Symbol(size_t at, char32_t symbol) const {
    return at < tokens_.size() && IsSymbol(tokens_[at], symbol);
  }

  // Whether tokens[at] is "10" and tokens[after], right after it, "^".
  bool IsPower(size_t at, size_t after) const {
    return after == at + 1 && Is(at, TokenKind::kDigits) && Symbol(after, U'^') &&
           tokens_[after].gap <= Gap::kBlank && FoldedDigits(tokens_[at].raw) == "10";
  }

  static std::string FoldedExponent(absl::string_view raw) {
    size_t at = 1;
    const char32_t sign = Canonical(unicode::NextCodePoint(raw, &at));
    const bool minus = sign == symbol::kHyphen || sign == symbol::kMinus;
    return absl::StrCat("e", minus ? "-" : "", Bounded(FoldedDigits(raw)));
  }

  static Value Quotient(double above, double below, size_t end) {
    return below == 0 ? Bad(end) : Read(above / below, false, end);
  }

  // One digit, or a signed decimal in braces.
  Value Argument(size_t* at) const {
    if (Is(*at, TokenKind::kDigits)) {
      const std::string digits = FoldedDigits(tokens_[*at].raw);
      if (digits.size() != 1) return {};
      return Read(digits[0] - '0', true, ++*at);
    }
    if (!Symbol(*at, U'{') || tokens_[*at].partner == kNoPartner) return {};
    const size_t close = tokens_[*at].partner;
    size_t inside = *at + 1;
    const bool minus = inside < close && IsMinusSign(tokens_[inside]);
    if (minus || Symbol(inside, U'+')) ++inside;
    Value value = Decimal(inside);
    if (!value.found || value.end != close) return {};
    if (minus) value.value = -value.value;
    *at = close + 1;
    return value;
  }

  // One character, or superscript digits, a fraction slash and more digits.
  Value Vulgar(size_t at) const {
    const absl::string_view raw = tokens_[at].raw;
    size_t begin = 0;
    if (const std::optional<Ratio> ratio = VulgarFraction(unicode::NextCodePoint(raw, &begin)))
      return Quotient(ratio->above, ratio->below, at + 1);
    constexpr absl::string_view kSlash = "\u2044";
    const size_t slash = raw.find(kSlash);
    const std::optional<double> above = ToDouble(FoldedDigits(raw.substr(0, slash))),
                                below = ToDouble(FoldedDigits(raw.substr(slash + kSlash.size())));
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
    if (!Symbol(above.end, U'/') || tokens_[above.end].gap > Gap::kBlank || above.end + 1 >= tokens_.size() ||
        tokens_[above.end + 1].gap > Gap::kBlank)
      return above;
    const Value below = Decimal(above.end + 1);
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

  // Whether a known unit is at `at`; "m2" and "cm3" are units too.
  bool IsUnitAt(size_t at) const {
    if (at >= tokens_.size() || tokens_[at].gap > Gap::kBlank) return false;
    const absl::string_view raw = tokens_[at].raw;
    if (Is(at, TokenKind::kWord)) return IsUnit(raw) && !(raw == "in" && tokens_[at].gap == Gap::kBlank);
    return Is(at, TokenKind::kName) && (raw.back() == '2' || raw.back() == '3') &&
           IsUnit(raw.substr(0, raw.size() - 1));
  }

  // After a unit: its exponent.
  size_t Raised(size_t at) const {
    std::string exponent;
    size_t end = at;
    return ReadExponent(tokens_, at, &exponent, &end) ? end : at;
  }

  // After all units that follow each other from `at` on.
  size_t Unit(size_t at) const {
    size_t end = at;
    if (Symbol(at, symbol::kDegree) && tokens_[at].gap <= Gap::kBlank) {
      end = at + 1;
      if (IsUnitAt(end) && tokens_[end].raw.size() == 1) ++end;  // C, F
      return end;
    }
    if (Symbol(at, U'^') && tokens_[at].gap == Gap::kNone) return Ordinal(at);
    if (IsUnitAt(at)) {
      end = Raised(at + 1);
    } else if (Is(at, TokenKind::kWord) && tokens_[at].gap == Gap::kBlank && !IsLetter(tokens_[at]) &&
               !ChangesNumberBefore(tokens_[at].raw) && Raised(at + 1) > at + 1) {
      end = Raised(at + 1);  // any word of several letters with an exponent
    } else if (!(Symbol(at, U'/') && IsUnitAt(at + 1))) {
      return at;
    }
    while (end < tokens_.size()) {
      const bool joined =
          Symbol(end, U'/') || Symbol(end, symbol::kTimes) ||
          (Is(end, TokenKind::kWord) && tokens_[end].gap == Gap::kBlank && IsPer(tokens_[end].raw));
      const size_t next = joined ? end + 1 : end;
      if (!IsUnitAt(next)) return end;
      const size_t after = Raised(next + 1);
      const bool goes_on =
          after > next + 1 || ((Symbol(after, U'/') || Symbol(after, symbol::kTimes)) && IsUnitAt(after + 1));
      if (!joined && !goes_on) return end;  // "5 m in ..." goes on with a word
      end = after;
    }
    return end;
  }

  // "^{th}".
  size_t Ordinal(size_t at) const {
    const size_t brace = at + 1;
    const bool ending = Symbol(brace, U'{') && Is(brace + 1, TokenKind::kWord) && Symbol(brace + 2, U'}') &&
                        (tokens_[brace + 1].raw == "th" || tokens_[brace + 1].raw == "st" ||
                         tokens_[brace + 1].raw == "nd" || tokens_[brace + 1].raw == "rd");
    return ending ? brace + 3 : at;
  }

  const std::vector<Token>& tokens_;
};

}  // namespace

bool ReadExponent(const std::vector<Token>& tokens, size_t at, std::string* exponent, size_t* end) {
  const auto symbol = [&](size_t place, char32_t c) {
    return place < tokens.size() && IsSymbol(tokens[place], c) && tokens[place].gap <= Gap::kBlank;
  };
  if (!symbol(at, U'^')) return false;
  size_t next = at + 1, close = kNoPartner;
  if ((symbol(next, U'{') || symbol(next, U'(')) && tokens[next].partner != kNoPartner)
    close = tokens[next++].partner;
  if (close != kNoPartner && symbol(next, U'(') && tokens[next].partner == close - 1) {
    ++next;  // "^{(-3)}"
    --close;
  }
  const bool minus = next < tokens.size() && IsMinusSign(tokens[next]);
  if (minus || symbol(next, U'+')) ++next;
  if (next >= tokens.size() || tokens[next].kind != TokenKind::kDigits || tokens[next].gap == Gap::kBreak)
    return false;
  const std::string digits = FoldedDigits(tokens[next].raw);
  ++next;
  if (close != kNoPartner) {
    if (next != close) return false;
    next = close + 1;
    if (next < tokens.size() && symbol(next, U'}') && tokens[next].partner == at + 1) ++next;
  } else if (next + 1 < tokens.size() && tokens[next].gap == Gap::kNone && symbol(next, U'.') &&
             tokens[next + 1].gap == Gap::kNone && tokens[next + 1].kind == TokenKind::kDigits) {
    return false;  // 10^3.5
  }
  *exponent = absl::StrCat(minus ? "-" : "", Bounded(digits));
  *end = next;
  return true;
}

bool ReadPercent(const std::vector<Token>& tokens, size_t at, size_t* end) {
  if (at >= tokens.size() || tokens[at].gap > Gap::kBlank) return false;
  if (IsSymbol(tokens[at], U'%') || (tokens[at].kind == TokenKind::kWord && IsPercentWord(tokens[at].raw))) {
    *end = at + 1;
    return true;
  }
  const bool two = at + 1 < tokens.size() && tokens[at].kind == TokenKind::kWord && IsPer(tokens[at].raw) &&
                   tokens[at + 1].kind == TokenKind::kWord && tokens[at + 1].gap == Gap::kBlank &&
                   IsCent(tokens[at + 1].raw);
  if (two) *end = at + 2;
  return two;
}

Quantity ReadQuantity(const std::vector<Token>& tokens, size_t at) {
  const Reader reader(tokens);
  const Value number = reader.Number(at);
  if (!number.found) return {};
  return reader.After(number);
}

}  // namespace lvrpo::numbers
