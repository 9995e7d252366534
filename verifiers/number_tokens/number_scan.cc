#include "verifiers/number_tokens/number_scan.h"

#include "absl/strings/ascii.h"
#include "data/unicode/unicode.h"
#include "re2/re2.h"
#include "verifiers/number_tokens/number_characters.h"

namespace lvrpo::numbers {
namespace {

constexpr size_t kMostBytes = 256;
constexpr char32_t kFractionSlash = U'\u2044';

template <typename Predicate>
size_t WhileEnd(absl::string_view text, size_t at, Predicate belongs) {
  while (at < text.size()) {
    size_t next = at;
    if (!belongs(unicode::NextCodePoint(text, &next))) break;
    at = next;
  }
  return at;
}

}  // namespace

char32_t PeekCodePoint(absl::string_view text, size_t at) {
  return at < text.size() ? unicode::NextCodePoint(text, &at) : 0;
}

size_t DelimitedEnd(Delimited item, absl::string_view text, size_t at) {
  static const RE2* const kPatterns[] = {
      // in the order of Delimited
      new RE2(R"re(</?[A-Za-z][A-Za-z0-9_-]*(?:\s+[A-Za-z_-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'))*\s*/?>)re"
              R"re(|<[|\x{FF5C}][^<>|\n]*[|\x{FF5C}]>)re"),
      new RE2(R"re(\^\s*(?:\{\s*(?:\\(?:circ|degree)|o)\s*\}|\\(?:circ|degree)\b|o\b))re"),
      new RE2(R"re(\^(?:\{\s*\d+\s*\}|\d)(?:\\!)?/(?:\\!)?_(?:\{\s*\d+\s*\}|\d))re"
              R"re(|<sup>\d+</sup>[/\x{2044}\x{2215}]<sub>\d+</sub>)re"),
      new RE2(R"re((?s)~~[^~\s](?:[^~\n]*[^~\s])?~~|<s>.*?</s>|<del>.*?</del>|<strike>.*?</strike>)re"
              R"re(|\\(?:sout|st|cancel|bcancel|xcancel)\s*\{[^{}]*\})re"),
      new RE2(R"re(\$(?:[^\s$\\]|\\.)(?:(?:[^$\n\\]|\\.)*(?:[^\s$\\]|\\.))?\$(?:[^0-9]|$))re"),
      new RE2(R"re([ *]*\{[^}]*\})re")};
  const absl::string_view window = text.substr(at, kMostBytes);
  re2::StringPiece rest(window.data(), window.size());
  return RE2::Consume(&rest, *kPatterns[static_cast<size_t>(item)]) ? at + window.size() - rest.size() : at;
}

size_t LettersEnd(absl::string_view text, size_t at) {
  const size_t begin = at;
  while (at < text.size()) {
    size_t next = at;
    const char32_t c = unicode::NextCodePoint(text, &next);
    const bool inside = at > begin;
    const bool apostrophe =
        (c == U'\'' || c == U'\u2019') && inside && IsSpacedLetter(PeekCodePoint(text, next));
    if (!IsSpacedLetter(c) && !apostrophe && !(inside && (IsCombining(c) || IsInvisible(c)))) break;
    at = next;
  }
  return at;
}

size_t NameEnd(absl::string_view text, size_t at) {
  size_t end = at;
  bool digits = false;
  while (end < text.size() && (digits || end - at < kMostBytes)) {
    size_t next = end;
    const char32_t c = unicode::NextCodePoint(text, &next);
    const bool digit = DigitValue(c) >= 0;
    if (c == U'_' || (c == U'.' && digits)) {
      const char32_t after = PeekCodePoint(text, next);
      const bool letter = c == U'_' && after < 0x80 && absl::ascii_isalpha(static_cast<unsigned char>(after));
      if (DigitValue(after) < 0 && !letter) break;
    } else if (!digit && !IsSpacedLetter(c)) {
      break;
    }
    digits = digits || digit;
    end = next;
  }
  return digits ? end : at;
}

size_t HyphenNameEnd(absl::string_view text, size_t at) {
  if (at >= text.size() || text[at] != '-') return at;
  const size_t end = DigitsEnd(text, at + 1);
  return end > at + 1 && !IsSpacedLetter(PeekCodePoint(text, end)) ? end : at;
}

size_t ExponentEnd(absl::string_view text, size_t at) {
  size_t begin = at;
  const char32_t sign = Canonical(PeekCodePoint(text, at));
  if (sign == U'+' || sign == symbol::kHyphen || sign == symbol::kMinus) unicode::NextCodePoint(text, &begin);
  const size_t end = DigitsEnd(text, begin);
  const char32_t after = PeekCodePoint(text, end);
  return end == begin || after == U'_' || IsSpacedLetter(after) ? at : end;
}

size_t DigitsEnd(absl::string_view text, size_t at) {
  return WhileEnd(text, at, [](char32_t c) { return DigitValue(c) >= 0; });
}

size_t SuperscriptEnd(absl::string_view text, size_t at) {
  return WhileEnd(text, at, [](char32_t c) {
    const int value = SuperscriptValue(c);
    return value >= 0 && value < kRaisedMinus;
  });
}

size_t LowerPartEnd(absl::string_view text, size_t at) {
  const char32_t slash = PeekCodePoint(text, at);
  if (Canonical(slash) != U'/') return at;
  size_t begin = at;
  unicode::NextCodePoint(text, &begin);
  const size_t end = WhileEnd(text, begin, [slash](char32_t c) {
    const int value = SubscriptValue(c);
    return (slash == kFractionSlash && DigitValue(c) >= 0) || (value >= 0 && value < kRaisedMinus);
  });
  return end > begin ? end : at;
}

bool IsCombining(char32_t c) {
  if ((c >= 0x300 && c <= 0x36F) || (c >= 0x64B && c <= 0x65F)) return true;
  return c >= 0x900 && c <= 0xE4E && !unicode::IsLetter(c) && unicode::IsWordCharacter(c) &&
         !unicode::IsNumber(c);
}

bool IsSpacedLetter(char32_t c) {
  const char32_t canonical = Canonical(c);
  return unicode::IsLetter(c) && !IsUnspaced(c) && canonical != symbol::kConstant &&
         canonical != symbol::kDegree;
}

}  // namespace lvrpo::numbers
