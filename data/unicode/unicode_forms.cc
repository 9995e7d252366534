#include "data/unicode/unicode_forms.h"

#include <utf8proc.h>

#include <array>

#include "data/unicode/unicode.h"

namespace lvrpo::unicode {
namespace {

// Each character of `text` as utf8proc maps it.
std::string Mapped(absl::string_view text, int options, bool (*stays)(char32_t) = nullptr) {
  std::array<utf8proc_int32_t, 32> parts;  // the longest has 18
  std::string mapped;
  mapped.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const char32_t c = NextCodePoint(text, &at);
    if (stays != nullptr && stays(c)) {
      AppendUtf8(c, &mapped);
      continue;
    }
    int boundary = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(), parts.size(),
                                static_cast<utf8proc_option_t>(options), &boundary);
    if (count < 0 || count > static_cast<utf8proc_ssize_t>(parts.size())) {  // no character of its tables
      AppendUtf8(c, &mapped);
      continue;
    }
    for (size_t i = 0; i < static_cast<size_t>(count); ++i)
      AppendUtf8(static_cast<char32_t>(parts[i]), &mapped);
  }
  return mapped;
}

// Characters that decompose in Unicode 15 and did not exist in 9.0: found by asking `tokenizers` 0.23.3 and
// utf8proc 2.8 for each code point's form KD.
bool IsLaterThanUnicode9(char32_t c) {
  constexpr struct {
    char32_t first, last;
  } kRanges[] = {{0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},   {0xAB69, 0xAB69},   {0x10781, 0x107BA},
                 {0x11938, 0x11938}, {0x1E030, 0x1E06D}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}};
  for (const auto& range : kRanges) {
    if (c >= range.first && c <= range.last) return true;
  }
  return false;
}

constexpr int kCompatible = UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE;

}  // namespace

// Composed here: utf8proc's own ordering of marks takes quadratic time for a long run of them.
std::string ToNfkc(absl::string_view text) { return ToNfc(Mapped(text, kCompatible)); }

std::string ToNfkcOfTokenizers(absl::string_view text) {
  return ToNfc(Mapped(text, kCompatible, IsLaterThanUnicode9));
}

std::string ToNfkdOfTokenizers(absl::string_view text) {
  return ToNfd(Mapped(text, kCompatible, IsLaterThanUnicode9));
}

std::string CaseFold(absl::string_view text) { return Mapped(text, UTF8PROC_CASEFOLD); }

bool IsIgnorable(char32_t c) { return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->ignorable; }

}  // namespace lvrpo::unicode
