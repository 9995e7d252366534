#include "reward_server/remote/http/mend_json.h"

#include <cmath>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/utf8.h"

namespace lvrpo {
namespace {

constexpr char kReplacement[] = "\\ufffd";

// The code unit of an escape \uXXXX that `text` begins with.
std::optional<uint32_t> EscapedUnit(absl::string_view text) {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return std::nullopt;
  uint32_t unit = 0;
  for (const char c : text.substr(2, 4)) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return std::nullopt;
    unit = unit * 16 + static_cast<uint32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  return unit;
}

bool IsHigh(uint32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool IsLow(uint32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

// Moves one string, whose quote comes first, from `text` to `out`.
void TakeString(absl::string_view* text, std::string* out) {
  out->push_back('"');
  text->remove_prefix(1);
  while (!text->empty()) {
    size_t length = 1;
    if (const std::optional<uint32_t> unit = EscapedUnit(*text); unit.has_value()) {
      length = 6;
      if (IsHigh(*unit)) {
        const std::optional<uint32_t> next = EscapedUnit(text->substr(6));
        if (next.has_value() && IsLow(*next)) length = 12;
      }
      if (length == 6 && (IsHigh(*unit) || IsLow(*unit) || *unit == 0)) {
        absl::StrAppend(out, kReplacement);
        text->remove_prefix(6);
        continue;
      }
    } else if ((*text)[0] == '\\' && text->size() > 1) {
      length = 2;
    }
    const bool end = (*text)[0] == '"';
    absl::StrAppend(out, text->substr(0, length));
    text->remove_prefix(length);
    if (end) return;
  }
}

bool IsOfAWord(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '+' || c == '.';
}

// How a value that is no finite number is written as a string; empty: it is finite, or something else.
absl::string_view NotFinite(absl::string_view word) {
  const bool minus = absl::ConsumePrefix(&word, "-");
  const std::string name = absl::AsciiStrToLower(word);
  if (name == "nan") return "\"NaN\"";
  const bool number = !word.empty() && absl::ascii_isdigit(static_cast<unsigned char>(word[0]));
  double value = 0;
  if (name == "infinity" || name == "inf" || (number && absl::SimpleAtod(word, &value) && std::isinf(value)))
    return minus ? "\"-Infinity\"" : "\"Infinity\"";
  return "";
}

}  // namespace

std::string MendJson(absl::string_view text) {
  const std::string repaired = unicode::RepairUtf8(text);
  std::string out;
  out.reserve(repaired.size());
  for (absl::string_view rest = repaired; !rest.empty();) {
    if (rest[0] == '"') {
      TakeString(&rest, &out);
      continue;
    }
    size_t length = 0;
    while (length < rest.size() && IsOfAWord(rest[length])) ++length;
    if (length == 0) {
      out.push_back(rest[0]);
      rest.remove_prefix(1);
      continue;
    }
    const absl::string_view word = rest.substr(0, length), string = NotFinite(word);
    absl::StrAppend(&out, string.empty() ? word : string);
    rest.remove_prefix(length);
  }
  return out;
}

}  // namespace lvrpo
