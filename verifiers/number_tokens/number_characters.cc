#include "verifiers/number_tokens/number_characters.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "absl/types/span.h"
#include "data/unicode/unicode.h"

namespace lvrpo::numbers {
namespace {

// The zero of each decimal script of Unicode 14; the nine others follow it.
constexpr char32_t kZeros[] = {
    0x30,    0x660,   0x6F0,   0x7C0,   0x966,   0x9E6,   0xA66,   0xAE6,   0xB66,   0xBE6,   0xC66,
    0xCE6,   0xD66,   0xDE6,   0xE50,   0xED0,   0xF20,   0x1040,  0x1090,  0x17E0,  0x1810,  0x1946,
    0x19D0,  0x1A80,  0x1A90,  0x1B50,  0x1BB0,  0x1C40,  0x1C50,  0xA620,  0xA8D0,  0xA900,  0xA9D0,
    0xA9F0,  0xAA50,  0xABF0,  0xFF10,  0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0,
    0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60,
    0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0};

constexpr struct {
  char32_t character;
  Ratio ratio;
} kVulgar[] = {
    {0xBC, {1, 4}},    {0xBD, {1, 2}},   {0xBE, {3, 4}},   {0x2150, {1, 7}}, {0x2151, {1, 9}},
    {0x2152, {1, 10}}, {0x2153, {1, 3}}, {0x2154, {2, 3}}, {0x2155, {1, 5}}, {0x2156, {2, 5}},
    {0x2157, {3, 5}},  {0x2158, {4, 5}}, {0x2159, {1, 6}}, {0x215A, {5, 6}}, {0x215B, {1, 8}},
    {0x215C, {3, 8}},  {0x215D, {5, 8}}, {0x215E, {7, 8}}, {0x2189, {0, 3}},
};

// What is written in several ways, and the one that the reader knows.
constexpr struct {
  std::u32string_view characters;
  char32_t canonical;
} kCanonical[] = {
    {U"\u02D7\u2010\u2011\uFE63", symbol::kHyphen},
    {U"\u2012\u2014\u2015\u2E3B", symbol::kDash},
    {U"\u207B\u2796", symbol::kMinus},
    {U"\u2795\uFE62", U'+'},
    {U"\u00B7\u22C5\u2219\u2217\u2A2F\u2715\u2716", symbol::kTimes},
    {U"\u2797", symbol::kDivide},
    {U"\u2044\u2215", U'/'},
    {U"\u2213", symbol::kPlusMinus},
    {U"\u221B\u221C", symbol::kRoot},
    {U"\u221E\u03C0\u213C\u2147", symbol::kConstant},
    {U">\u2260\u2261\u2262\u2264\u2265\u2266\u2267\u226A\u226B\u2272\u2273\u2A7D\u2A7E\u2208\u2209\u221D",
     symbol::kRelation},
    {U"\u223C\u2243\u2245\u2248\u301C", symbol::kAlmost},
    {U"\u2250\u2254\u2259", U'='},
    {U"\u2236", U':'},
    {U"\u066A\uFE6A", U'%'},
    {U"\u066B", U'.'},
    {U"\u066C", U','},
    {U"\u00BA\u02DA\u2103\u2109", symbol::kDegree},
    {U"\u2019\u02BC", U'\''},
    {U"\u2116", U'#'},  // the number sign of Russian and French
    {U"\u2717\u2718\u274C\u274E\U0001F5F4\U0001F5F6", symbol::kCross},
};

bool IsOneOf(char32_t c, absl::Span<const char32_t> set) {
  return std::find(set.begin(), set.end(), c) != set.end();
}

}  // namespace

int DigitValue(char32_t c) {
  const auto after = std::upper_bound(std::begin(kZeros), std::end(kZeros), c);
  if (after == std::begin(kZeros)) return -1;
  const char32_t value = c - *(after - 1);
  return value < 10 ? static_cast<int>(value) : -1;
}

int SuperscriptValue(char32_t c) {
  if (c == 0xB2 || c == 0xB3) return static_cast<int>(c - 0xB0);
  if (c == 0xB9) return 1;
  if (c == 0x2070 || (c >= 0x2074 && c <= 0x2079)) return static_cast<int>(c - 0x2070);
  if (c >= 0x207A && c <= 0x207F) return c == 0x207B ? kRaisedMinus : kRaisedOther;
  return -1;
}

int SubscriptValue(char32_t c) {
  if (c >= 0x2080 && c <= 0x2089) return static_cast<int>(c - 0x2080);
  if (c >= 0x208A && c <= 0x208E) return c == 0x208B ? kRaisedMinus : kRaisedOther;
  return -1;
}

std::optional<Ratio> VulgarFraction(char32_t c) {
  for (const auto& entry : kVulgar) {
    if (entry.character == c) return entry.ratio;
  }
  return std::nullopt;
}

char32_t Canonical(char32_t c) {
  if (c == 0xFF0C) return symbol::kListComma;
  if (c >= 0xFF01 && c <= 0xFF5E) c -= 0xFEE0;
  if (c < 0x80 && c != U'>') return c;
  for (const auto& entry : kCanonical) {
    if (entry.characters.find(c) != std::u32string_view::npos) return entry.canonical;
  }
  return c;
}

bool IsInvisible(char32_t c) {
  return c == 0xAD || c == 0x61C || (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x2069) || (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF || c == 0x20E3;
}

bool IsBlank(char32_t c) { return c < 0x20 || c == 0x7F || c == 0x3164 || unicode::IsSpace(c); }

bool IsLineBreak(char32_t c) { return (c >= 0x9 && c <= 0xD) || c == 0x85 || c == 0x2028 || c == 0x2029; }

bool IsMark(char32_t c) {
  static constexpr char32_t kMarks[] = {
      U'"',      U'`',      U'\'',     U'\u00AB', U'\u00BB', U'\u2018', U'\u201A', U'\u201C',  // quotes
      U'\u201D', U'\u201E', U'\u2032', U'\u2033', U'\u2039', U'\u203A', U'\u300C', U'\u300D',
      U'\u300E', U'\u300F', U'\u2022', U'\u25CF', U'\u25CB', U'\u25A0', U'\u25E6',  // bullets
      U'\u2705', U'\u2713', U'\u2714', U'\u2611'};                                  // check marks
  return IsOneOf(c, kMarks) || IsCurrencySign(c);
}

bool IsCurrencySign(char32_t c) {
  static constexpr char32_t kSigns[] = {U'$',      U'\u00A2', U'\u00A3', U'\u00A4',
                                        U'\u00A5', U'\u0E3F', U'\u060B', U'\uFDFC'};
  return IsOneOf(c, kSigns) || (c >= 0x20A0 && c <= 0x20CF);
}

bool IsMathSign(char32_t c) {
  static constexpr char32_t kText[] = {U'\u2212', U'\u2215', U'\u2218', U'\u2219',   // minus, slash, bullets
                                       U'\u2223', U'\u2234', U'\u2235', U'\u220E'};  // bar, so, as, end
  if (IsOneOf(c, kText)) return false;
  return (c >= 0x2200 && c <= 0x22FF) || (c >= 0x2308 && c <= 0x230B) || (c >= 0x27C0 && c <= 0x27EF) ||
         (c >= 0x2980 && c <= 0x29FF) || (c >= 0x2A00 && c <= 0x2AFF);
}

bool IsUnspaced(char32_t c) {
  return (c >= 0xE00 && c <= 0xEFF) || (c >= 0x1000 && c <= 0x109F) || (c >= 0x1780 && c <= 0x17FF) ||
         (c >= 0x1100 && c <= 0x11FF) || (c >= 0x2E80 && c <= 0xA4CF) || (c >= 0xAC00 && c <= 0xD7AF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFF66 && c <= 0xFFDC) || (c >= 0x20000 && c <= 0x3FFFF);
}

std::string FoldedDigits(absl::string_view raw) {
  std::string digits;
  for (size_t at = 0; at < raw.size();) {
    const char32_t c = unicode::NextCodePoint(raw, &at);
    for (const int value : {DigitValue(c), SuperscriptValue(c), SubscriptValue(c)}) {
      if (value < 0 || value > 9) continue;
      digits += static_cast<char>('0' + value);
      break;
    }
  }
  return digits;
}

}  // namespace lvrpo::numbers
