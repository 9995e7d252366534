#include "common/json/parse_json.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/file_kind.h"
#include "common/files/text_file.h"

namespace lvrpo {
namespace {

// What may have been meant by the text that is no JSON from here on.
std::string Reason(absl::string_view rest) {
  rest = absl::StripLeadingAsciiWhitespace(rest);
  if (rest.empty()) return "";
  for (const char* word : {"NaN", "Infinity", "-Infinity", "None", "True", "False", "undefined"}) {
    if (absl::StartsWith(rest, word)) return absl::StrCat(word, " is no JSON value");
  }
  if (rest[0] == '\'') return "texts stand in double quotes";
  if (absl::StartsWith(rest, "//") || absl::StartsWith(rest, "/*") || rest[0] == '#')
    return "JSON has no comments";
  if (rest[0] == '}' || rest[0] == ']')
    return "a value or a key is missing, or a comma stands before the bracket";
  return "";
}

// Keeps the first key that occurs twice in one object of what is being parsed.
class KeyWatch {
 public:
  bool operator()(int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start) open_.emplace_back();
    if (event == Event::object_end) open_.pop_back();
    if (event == Event::key && !twice.has_value()) {
      const std::string& key = parsed.get_ref<const std::string&>();
      if (!open_.back().insert(key).second) twice = key;
    }
    return true;
  }

  std::optional<std::string> twice;

 private:
  std::vector<std::set<std::string>> open_;  // keys of each object around the place
};

}  // namespace

absl::StatusOr<nlohmann::json> ParseJson(absl::string_view text) {
  text = WithoutByteOrderMark(text);
  if (std::string wrong = NotUtf8(text); !wrong.empty()) return absl::InvalidArgumentError(wrong);
  if (absl::StripAsciiWhitespace(text).empty()) return absl::InvalidArgumentError("not JSON: it is empty");
  size_t stop = 0;
  try {  // only the parser's exception has the position
    KeyWatch watch;
    nlohmann::json value = nlohmann::json::parse(text.begin(), text.end(), std::ref(watch));
    if (!watch.twice.has_value()) return value;
    return absl::InvalidArgumentError(
        absl::StrCat("JSON in which \"", OneLine(*watch.twice, 40), "\" is given twice"));
  } catch (const nlohmann::json::parse_error& error) {
    stop = std::min(text.size(), error.byte == 0 ? 0 : error.byte - 1);
  } catch (const nlohmann::json::exception& error) {  // a number that is too large; it does not say where
    return absl::InvalidArgumentError(
        absl::StrCat("not JSON that can be read: ", OneLine(error.what(), 120)));
  }
  // The parser stops after the first invalid byte: the word that contains it begins earlier.
  size_t at = stop;
  while (at > 0 && (absl::ascii_isalnum(static_cast<unsigned char>(text[at - 1])) || text[at - 1] == '-'))
    --at;
  std::string reason = Reason(text.substr(at));
  if (stop == text.size()) reason = "it ends too early, perhaps a part of it is missing";
  if (reason.empty() || stop == text.size()) at = stop;
  const size_t line_begin = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;  // npos + 1 is 0
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n');
  const size_t near = std::max(line_begin, at > 20 ? at - 20 : 0);
  return absl::InvalidArgumentError(
      absl::StrCat("not JSON at ", absl::StrContains(text, '\n') ? absl::StrCat("line ", line, ", ") : "",
                   "column ", at - line_begin + 1, reason.empty() ? "" : ": ", reason, ", near '",
                   OneLine(text.substr(near, text.find('\n', at) - near), 40), "'"));
}

}  // namespace lvrpo
