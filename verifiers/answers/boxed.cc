#include "verifiers/answers/boxed.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace lvrpo {
namespace {

constexpr absl::string_view kBlanks = " \t\r\n";

// The content of the braces that begin `text`.
std::optional<absl::string_view> Braced(absl::string_view text) {
  int depth = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;  // \{ and \} are shown
    } else if (text[at] == '{') {
      ++depth;
    } else if (text[at] == '}' && --depth == 0) {
      return text.substr(1, at - 1);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Boxed> LastBoxed(absl::string_view text) {
  for (size_t end = text.size(); end > 0;) {
    const size_t command = text.substr(0, end).rfind('\\');
    if (command == absl::string_view::npos) return std::nullopt;
    end = command;
    absl::string_view rest = text.substr(command + 1);
    size_t length = 0;
    for (const absl::string_view name : {"boxed", "fbox", "framebox"}) {
      if (absl::StartsWith(rest, name)) length = name.size();
    }
    if (length == 0) continue;
    rest.remove_prefix(length);
    if (!rest.empty() && absl::ascii_isalpha(static_cast<unsigned char>(rest[0]))) continue;
    const size_t begin = rest.find_first_not_of(kBlanks);
    if (begin == absl::string_view::npos) return std::nullopt;
    rest.remove_prefix(begin);
    const bool braces = rest[0] == '{';
    const std::optional<absl::string_view> content =
        braces ? Braced(rest) : rest.substr(0, rest.find_first_of(" \t\r\n$"));
    if (!content) return std::nullopt;
    return Boxed{*content, text.substr(0, command), rest.substr(content->size() + (braces ? 2 : 0))};
  }
  return std::nullopt;
}

}  // namespace lvrpo
