#include "data/unicode/unicode.h"

#include <algorithm>
#include <vector>

#include "data/unicode/unicode_tables.h"

namespace lvrpo::unicode {
namespace {

constexpr char32_t kFirstMark = 0x300;  // below it no character combines with the one before

// Hangul syllables are composed by arithmetic (The Unicode Standard, section 3.12).
constexpr char32_t kSyllables = 0xAC00, kLeading = 0x1100, kVowels = 0x1161, kTrailing = 0x11A7;
constexpr char32_t kLeadingCount = 19, kVowelCount = 21, kTrailingCount = 28;
constexpr char32_t kSyllableCount = kLeadingCount * kVowelCount * kTrailingCount;

// The last of a sorted table whose `first` is not greater than c; null if there is none.
template <typename Table>
auto* LastNotAfter(Table table, char32_t c) {
  const auto after = std::upper_bound(table.begin(), table.end(), c,
                                      [](char32_t value, const auto& entry) { return value < entry.first; });
  return after == table.begin() ? nullptr : &*(after - 1);
}

bool Contains(std::span<const Range> ranges, char32_t c) {
  const Range* range = LastNotAfter(ranges, c);
  return range != nullptr && c <= range->last;
}

uint8_t CombiningClass(char32_t c) {
  if (c < kFirstMark) return 0;
  const ClassRange* range = LastNotAfter(CombiningClasses(), c);
  return range != nullptr && c <= range->last ? range->combining_class : 0;
}

const Decomposition* Find(std::span<const Decomposition> table, char32_t c) {
  const auto found =
      std::lower_bound(table.begin(), table.end(), c,
                       [](const Decomposition& entry, char32_t value) { return entry.from < value; });
  return found != table.end() && found->from == c ? &*found : nullptr;
}

// What two characters compose to; 0 if they do not.
char32_t Compose(char32_t first, char32_t second) {
  if (second < kFirstMark) return 0;
  if (first >= kLeading && first < kLeading + kLeadingCount && second >= kVowels &&
      second < kVowels + kVowelCount) {
    return kSyllables + ((first - kLeading) * kVowelCount + (second - kVowels)) * kTrailingCount;
  }
  if (first >= kSyllables && first < kSyllables + kSyllableCount &&
      (first - kSyllables) % kTrailingCount == 0 && second > kTrailing &&
      second < kTrailing + kTrailingCount) {
    return first + (second - kTrailing);
  }
  const std::span<const Composition> table = Compositions();
  const auto found = std::lower_bound(
      table.begin(), table.end(), std::pair(first, second),
      [](const Composition& entry, const auto& pair) { return std::pair(entry.first, entry.second) < pair; });
  return found != table.end() && found->first == first && found->second == second ? found->composed : 0;
}

void AppendDecomposed(char32_t c, std::vector<char32_t>* out) {
  if (c >= kSyllables && c < kSyllables + kSyllableCount) {
    const char32_t index = c - kSyllables;
    out->push_back(kLeading + index / (kVowelCount * kTrailingCount));
    out->push_back(kVowels + index % (kVowelCount * kTrailingCount) / kTrailingCount);
    if (index % kTrailingCount != 0) out->push_back(kTrailing + index % kTrailingCount);
    return;
  }
  const Decomposition* entry = c < 0xC0 ? nullptr : Find(Decompositions(), c);
  if (entry == nullptr) {
    out->push_back(c);
    return;
  }
  for (const char32_t part : entry->to) {
    if (part != 0) out->push_back(part);
  }
}

// Decomposed, with each run of marks in the order of their classes.
std::vector<char32_t> Decomposed(absl::string_view text) {
  std::vector<char32_t> points;
  points.reserve(text.size());
  for (size_t at = 0; at < text.size();) AppendDecomposed(NextCodePoint(text, &at), &points);
  for (size_t begin = 0; begin < points.size(); ++begin) {
    if (CombiningClass(points[begin]) == 0) continue;
    size_t end = begin + 1;
    while (end < points.size() && CombiningClass(points[end]) != 0) ++end;
    std::stable_sort(points.begin() + static_cast<ptrdiff_t>(begin),
                     points.begin() + static_cast<ptrdiff_t>(end),
                     [](char32_t a, char32_t b) { return CombiningClass(a) < CombiningClass(b); });
    begin = end;
  }
  return points;
}

std::string Encoded(const std::vector<char32_t>& points) {
  std::string text;
  text.reserve(points.size());
  for (const char32_t c : points) AppendUtf8(c, &text);
  return text;
}

// Whether it is its own normal form C in any surroundings: nothing before U+0300 composes or moves.
bool IsPlain(absl::string_view text) {
  // U+0300 is CC 80.
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0xCC; });
}

}  // namespace

bool IsLetter(char32_t c) {
  if (c < 0x80) return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
  return Contains(Letters(), c);
}

bool IsNumber(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  return Contains(Numbers(), c);
}

bool IsSpace(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return Contains(Spaces(), c);
}

bool IsWordCharacter(char32_t c) { return Contains(WordCharacters(), c); }

char32_t NextCodePoint(absl::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[i])); };
  const char32_t lead = byte(*at);
  const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t c = length == 1 ? lead : lead & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) c = c << 6 | (byte(*at + i) & 0x3F);
  *at += length;
  return c;
}

char32_t LastCodePoint(absl::string_view text, size_t end) {
  size_t begin = end - 1;
  while ((static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return NextCodePoint(text, &begin);
}

std::string ToNfd(absl::string_view text) { return Encoded(Decomposed(text)); }

std::string ToNfc(absl::string_view text) {
  if (IsPlain(text)) return std::string(text);
  std::vector<char32_t> points = Decomposed(text);
  size_t size = 0, starter = points.size();  // points[0, size) are done; starter: none yet
  uint8_t last_class = 0;                    // of the last mark kept after the starter
  for (size_t i = 0; i < points.size(); ++i) {
    const char32_t c = points[i];
    const uint8_t own_class = CombiningClass(c);
    const bool reaches =
        starter < points.size() && (last_class < own_class || (last_class == 0 && starter + 1 == size));
    if (const char32_t composed = reaches ? Compose(points[starter], c) : 0; composed != 0) {
      points[starter] = composed;
      continue;
    }
    if (own_class == 0) starter = size;
    last_class = own_class;
    points[size++] = c;
  }
  points.resize(size);
  return Encoded(points);
}

std::string ToLower(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const char32_t c = NextCodePoint(text, &at);
    if (c < 0x80) {
      out.push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 0x20 : c));
      continue;
    }
    if (const Decomposition* longer = Find(LowercaseLonger(), c); longer != nullptr) {
      for (const char32_t part : longer->to) {
        if (part != 0) AppendUtf8(part, &out);
      }
      continue;
    }
    const CaseRange* range = LastNotAfter(Lowercase(), c);
    const bool changes =
        range != nullptr && c <= range->last && (c - range->first) % static_cast<char32_t>(range->step) == 0;
    AppendUtf8(changes ? static_cast<char32_t>(static_cast<int32_t>(c) + range->delta) : c, &out);
  }
  return out;
}

}  // namespace lvrpo::unicode
