#include "verifiers/number_in_text.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "data/unicode.h"

namespace lvrpo {
namespace {

constexpr absl::string_view kMinus = "\xE2\x88\x92";  // U+2212
constexpr absl::string_view kCurrencies[] = {
    "$",  // dollar, pound, yen, euro, rupee, won, cent
    "\xC2\xA3", "\xC2\xA5", "\xE2\x82\xAC", "\xE2\x82\xB9", "\xE2\x82\xA9", "\xC2\xA2"};
constexpr absl::string_view kTimes[] = {"\\times", "\\cdot", "\xC3\x97", "\xC2\xB7", "x", "*"};
constexpr absl::string_view kPercents[] = {"%", "\\%", "\xEF\xBC\x85", "percent"};

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }
bool IsNameCharacter(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)) || c == '_'; }

// A place in the text, moved by what is recognised there.
class Cursor {
 public:
  Cursor(absl::string_view text, size_t at) : text_(text), at_(at) {}

  size_t at() const { return at_; }
  absl::string_view rest() const { return text_.substr(at_); }
  bool DigitAt(size_t ahead) const { return at_ + ahead < text_.size() && IsDigit(text_[at_ + ahead]); }

  bool Skip(absl::string_view literal) {
    if (literal.empty() || !absl::StartsWith(rest(), literal)) return false;
    at_ += literal.size();
    return true;
  }
  template <size_t kCount>
  bool SkipAny(const absl::string_view (&literals)[kCount]) {
    for (const absl::string_view literal : literals) {
      if (Skip(literal)) return true;
    }
    return false;
  }
  void SkipBlanks() {
    while (Skip(" ")) {
    }
  }
  bool SkipMinus() { return Skip("-") || Skip(kMinus); }

  // A run of digits, maybe empty.
  absl::string_view Digits() {
    const size_t begin = at_;
    while (DigitAt(0)) ++at_;
    return text_.substr(begin, at_ - begin);
  }

 private:
  absl::string_view text_;
  size_t at_;
};

// ",234" or "{,}234", and no fourth digit: its three digits.
absl::string_view ThousandsGroup(Cursor* cursor) {
  Cursor ahead = *cursor;
  if (!ahead.Skip(",") && !ahead.Skip("{,}")) return "";
  const absl::string_view digits = ahead.Digits();
  if (digits.size() != 3) return "";
  *cursor = ahead;
  return digits;
}

// "e3", "E-3", unless a letter follows.
std::string Exponent(Cursor* cursor) {
  Cursor ahead = *cursor;
  if (!ahead.Skip("e") && !ahead.Skip("E")) return "";
  const bool minus = ahead.SkipMinus();
  if (!minus) ahead.Skip("+");
  const absl::string_view digits = ahead.Digits();
  if (digits.empty() || (!ahead.rest().empty() && IsNameCharacter(ahead.rest()[0]))) return "";
  *cursor = ahead;
  return absl::StrCat("e", minus ? "-" : "", digits);
}

// "x 10^3", "\times 10^{-3}".
std::string PowerOfTen(Cursor* cursor) {
  Cursor ahead = *cursor;
  ahead.SkipBlanks();
  if (!ahead.SkipAny(kTimes)) return "";
  ahead.SkipBlanks();
  if (!ahead.Skip("10^")) return "";
  const bool brace = ahead.Skip("{");
  const bool minus = ahead.SkipMinus();
  const absl::string_view digits = ahead.Digits();
  if (digits.empty() || (brace && !ahead.Skip("}"))) return "";
  *cursor = ahead;
  return absl::StrCat("e", minus ? "-" : "", digits);
}

std::optional<double> Finite(const std::string& decimal) {
  double value = 0;
  if (!absl::SimpleAtod(decimal, &value) || !std::isfinite(value)) return std::nullopt;
  return value;
}

// Digits with a point, thousands and an exponent. `whole`: nothing but digits.
struct Decimal {
  std::optional<double> value;  // none: it overflows
  bool whole = false;
};
std::optional<Decimal> ReadDecimal(Cursor* cursor) {
  std::string plain(cursor->Digits());
  bool whole = true;
  if (!plain.empty() && plain.size() <= 3 && plain[0] != '0') {
    for (absl::string_view group = ThousandsGroup(cursor); !group.empty(); group = ThousandsGroup(cursor)) {
      absl::StrAppend(&plain, group);
    }
  }
  if (absl::StartsWith(cursor->rest(), ".") && cursor->DigitAt(1)) {
    cursor->Skip(".");
    absl::StrAppend(&plain, ".", cursor->Digits());
    whole = false;
  }
  if (plain.empty()) return std::nullopt;
  std::string exponent = Exponent(cursor);
  if (exponent.empty()) exponent = PowerOfTen(cursor);
  if (!exponent.empty()) whole = false;
  return Decimal{Finite(plain + exponent), whole};
}

std::optional<double> Quotient(std::optional<double> a, std::optional<double> b) {
  if (!a || !b || *b == 0 || !std::isfinite(*a / *b)) return std::nullopt;
  return *a / *b;
}

// \frac{-3}{4}, also \dfrac and \tfrac.
struct Fraction {
  std::optional<double> value;
};
std::optional<Fraction> ReadFraction(Cursor* cursor) {
  Cursor ahead = *cursor;
  if (!ahead.Skip("\\frac{") && !ahead.Skip("\\dfrac{") && !ahead.Skip("\\tfrac{")) return std::nullopt;
  const bool minus = ahead.SkipMinus();
  const std::optional<Decimal> above = ReadDecimal(&ahead);
  if (!above || !ahead.Skip("}{")) return std::nullopt;
  const std::optional<Decimal> below = ReadDecimal(&ahead);
  if (!below || !ahead.Skip("}")) return std::nullopt;
  *cursor = ahead;
  const std::optional<double> value = Quotient(above->value, below->value);
  return Fraction{value && minus ? std::optional(-*value) : value};
}

// "/4" or " / 4" behind a number, where no third part follows (a date).
std::optional<Decimal> ReadDivisor(Cursor* cursor) {
  Cursor ahead = *cursor;
  ahead.Skip(" ");
  if (!ahead.Skip("/")) return std::nullopt;
  ahead.Skip(" ");
  const std::optional<Decimal> divisor = ReadDecimal(&ahead);
  if (!divisor || absl::StartsWith(ahead.rest(), "/")) return std::nullopt;
  *cursor = ahead;
  return divisor;
}

// " 3/4" or "\frac{3}{4}" behind a whole number: a proper fraction.
std::optional<double> ReadProperFraction(Cursor* cursor) {
  Cursor ahead = *cursor;
  std::optional<double> value;
  if (const std::optional<Fraction> fraction = ReadFraction(&ahead)) {
    value = fraction->value;
  } else if (ahead.Skip(" ")) {
    const std::optional<Decimal> above = ReadDecimal(&ahead);
    if (!above || !above->whole || !absl::StartsWith(ahead.rest(), "/")) return std::nullopt;
    const std::optional<Decimal> below = ReadDivisor(&ahead);
    if (!below || !below->whole) return std::nullopt;
    value = Quotient(above->value, below->value);
  }
  if (!value || *value <= 0 || *value >= 1) return std::nullopt;
  *cursor = ahead;
  return value;
}

// What begins with a digit, a point or a backslash. nullopt: nothing there; a value-less one: not a finite
// number, but passed.
struct Unsigned {
  std::optional<double> value;
};
std::optional<Unsigned> ReadUnsigned(Cursor* cursor, bool divisor_before) {
  if (const std::optional<Fraction> fraction = ReadFraction(cursor)) return Unsigned{fraction->value};
  const std::optional<Decimal> decimal = ReadDecimal(cursor);
  if (!decimal) return std::nullopt;
  if (divisor_before) return Unsigned{decimal->value};
  if (decimal->whole && decimal->value) {
    if (const std::optional<double> part = ReadProperFraction(cursor))
      return Unsigned{*decimal->value + *part};
  }
  if (const std::optional<Decimal> divisor = ReadDivisor(cursor)) {
    return Unsigned{Quotient(decimal->value, divisor->value)};
  }
  return Unsigned{decimal->value};
}

bool ConsumeSuffix(absl::string_view* text, absl::string_view suffix) {
  if (!absl::EndsWith(*text, suffix)) return false;
  text->remove_suffix(suffix.size());
  return true;
}

// Whether a minus, maybe with a currency sign behind it, is the sign of what begins at `begin`.
bool MinusBefore(absl::string_view text, size_t begin) {
  absl::string_view before = text.substr(0, begin);
  for (const absl::string_view currency : kCurrencies) {
    if (ConsumeSuffix(&before, currency)) {
      ConsumeSuffix(&before, "\\");
      break;
    }
  }
  if (!ConsumeSuffix(&before, "-") && !ConsumeSuffix(&before, kMinus)) return false;
  if (before.empty()) return true;
  const char32_t c = unicode::LastCodePoint(before, before.size());
  return !unicode::IsLetter(c) && !unicode::IsNumber(c) && c != ')' && c != ']' && c != '}';
}

bool PercentBehind(Cursor cursor) {
  cursor.Skip(" ");
  return cursor.SkipAny(kPercents);
}

// Behind a name: "H2O", "x_1", "v1.2".
size_t SkipName(absl::string_view text, size_t at) {
  while (at < text.size() && (IsNameCharacter(text[at]) || IsDigit(text[at]) ||
                              (text[at] == '.' && at + 1 < text.size() && IsDigit(text[at + 1])))) {
    ++at;
  }
  return at;
}

}  // namespace

std::optional<NumberInText> NextNumber(absl::string_view text, size_t from) {
  for (size_t at = from; at < text.size();) {
    const char c = text[at];
    if (IsNameCharacter(c)) {
      at = SkipName(text, at);
      continue;
    }
    const bool digit_before = at > 0 && IsDigit(text[at - 1]);
    if (!IsDigit(c) && c != '\\' && (c != '.' || digit_before)) {
      ++at;
      continue;
    }
    Cursor cursor(text, at);
    const std::optional<Unsigned> number = ReadUnsigned(&cursor, at > 0 && text[at - 1] == '/');
    if (!number) {
      ++at;
      continue;
    }
    if (number->value) {
      const double value = MinusBefore(text, at) ? -*number->value : *number->value;
      return NumberInText{value, PercentBehind(cursor), at, cursor.at()};
    }
    at = cursor.at();
  }
  return std::nullopt;
}

std::optional<NumberInText> LastNumber(absl::string_view text) {
  std::optional<NumberInText> last;
  for (std::optional<NumberInText> next = NextNumber(text, 0); next; next = NextNumber(text, next->end)) {
    last = next;
  }
  return last;
}

std::optional<absl::string_view> LastBoxed(absl::string_view text) {
  constexpr absl::string_view kOpening = "\\boxed{";
  const size_t opening = text.rfind(kOpening);
  if (opening == absl::string_view::npos) return std::nullopt;
  const absl::string_view rest = text.substr(opening + kOpening.size());
  int depth = 1;
  for (size_t at = 0; at < rest.size(); ++at) {
    if (rest[at] == '{') ++depth;
    if (rest[at] == '}' && --depth == 0) return rest.substr(0, at);
  }
  return std::nullopt;
}

}  // namespace lvrpo
