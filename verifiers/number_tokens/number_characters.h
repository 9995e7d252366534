#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// Character classes for reading numbers: digits of all scripts, the many minus signs, blanks and marks. Pure
// functions.
namespace lvrpo::numbers {

// 0 to 9 for a decimal digit of any script (category Nd), -1 for anything else.
int DigitValue(char32_t c);
// The same for superscript and for subscript digits; their minus sign; kRaisedOther for another sign or
// bracket.
constexpr int kRaisedMinus = 10, kRaisedOther = 11;
int SuperscriptValue(char32_t c);
int SubscriptValue(char32_t c);

// One-character fractions.
struct Ratio {
  int above = 0, below = 1;
};
std::optional<Ratio> VulgarFraction(char32_t c);

// The canonical character of a class of equivalents: symbol::kHyphen for each of "-", U+2010, U+FF0D ..., and
// the small form of full-width ASCII. Other characters stay what they are.
char32_t Canonical(char32_t c);

namespace symbol {
constexpr char32_t kHyphen = U'-', kDash = U'\u2013', kMinus = U'\u2212';
constexpr char32_t kTimes = U'\u00D7', kDivide = U'\u00F7', kPlusMinus = U'\u00B1';
constexpr char32_t kRoot = U'\u221A';
constexpr char32_t kConstant = U'\u03C0';  // pi, infinity
constexpr char32_t kRelation = U'<';       // every relation but equality
constexpr char32_t kAlmost = U'\u2248';
constexpr char32_t kDegree = U'\u00B0';
constexpr char32_t kEllipsis = U'\u2026';
constexpr char32_t kListComma = U'\uFF0C';  // full-width: groups thousands, but is never a decimal comma
constexpr char32_t kPrime = U'\u2032';      // feet or minutes, before inches or seconds
constexpr char32_t kSeparator = U'\u2E3A';  // two or three hyphens: a dash in a sentence, no sign
constexpr char32_t kCross = U'\u2717';      // marks a wrong answer
}  // namespace symbol

// Invisible characters: zero-width ones, marks of direction, variation selectors, soft hyphens.
bool IsInvisible(char32_t c);
// White space, and control characters, which are treated as such.
bool IsBlank(char32_t c);
bool IsLineBreak(char32_t c);
// Marks that do not change which number it is: currency signs, quotation marks, bullets, backquotes, check
// marks.
bool IsMark(char32_t c);
bool IsCurrencySign(char32_t c);
// Signs of mathematics that are not known by name: sums, integrals, floors, sets.
bool IsMathSign(char32_t c);
// Scripts without spaces between words, which are read character by character.
bool IsUnspaced(char32_t c);

// The digits of `raw` (of any script, superscript and subscript ones too) as ASCII.
std::string FoldedDigits(absl::string_view raw);

}  // namespace lvrpo::numbers
