#include "verifiers/rules/text_measure.h"

#include "data/unicode/unicode.h"

namespace lvrpo {
namespace {

using unicode::IsSpace;
using unicode::NextCodePoint;

bool IsEndMark(char32_t c) { return c == '.' || c == '!' || c == '?' || c == U'\u2026'; }
bool IsCjkEndMark(char32_t c) { return c == U'\u3002' || c == U'\uFF01' || c == U'\uFF1F' || c == U'\uFF61'; }
bool IsCloser(char32_t c) {
  return c == '"' || c == '\'' || c == ')' || c == ']' || c == '*' || c == U'\u201D' || c == U'\u2019' ||
         c == U'\u00BB' || c == U'\u300D';
}

// Moves *at past the end marks and closers that follow; whether white space or the text's end is next.
bool EndsHere(absl::string_view text, size_t* at) {
  while (*at < text.size()) {
    size_t next = *at;
    const char32_t c = NextCodePoint(text, &next);
    if (!IsEndMark(c) && !IsCloser(c)) return IsSpace(c);
    *at = next;
  }
  return true;
}

}  // namespace

int64_t CountCharacters(absl::string_view text) {
  int64_t characters = 0, up_to_last = 0;
  for (size_t at = 0; at < text.size();) {
    const bool space = IsSpace(NextCodePoint(text, &at));
    if (space && up_to_last == 0) continue;
    ++characters;
    if (!space) up_to_last = characters;
  }
  return up_to_last;
}

int64_t CountWords(absl::string_view text) {
  int64_t words = 0;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const bool space = IsSpace(NextCodePoint(text, &at));
    if (!space && !inside) ++words;
    inside = !space;
  }
  return words;
}

int64_t CountLines(absl::string_view text) {
  int64_t lines = 0;
  bool counted = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = NextCodePoint(text, &at);
    if (c == '\n' || c == '\r') {
      counted = false;
    } else if (!counted && !IsSpace(c)) {
      counted = true;
      ++lines;
    }
  }
  return lines;
}

int64_t CountSentences(absl::string_view text) {
  int64_t sentences = 0;
  bool begun = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = NextCodePoint(text, &at);
    if (unicode::IsLetter(c) || unicode::IsNumber(c)) begun = true;
    const bool ends = IsCjkEndMark(c) || (IsEndMark(c) && EndsHere(text, &at));
    if (ends && begun) {
      ++sentences;
      begun = false;
    }
  }
  return sentences + (begun ? 1 : 0);
}

}  // namespace lvrpo
