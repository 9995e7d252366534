#include "cli/local/log_lines.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files/file_kind.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

constexpr size_t kLongest = 300;  // characters
constexpr size_t kMostRead = 64 << 10;

struct Line {
  std::string level, message;  // level: empty where the line has none
};

// "13:14:15.926 warning [reward-0] words", as common/telemetry/logging.cc writes it.
bool ReadPlain(absl::string_view line, Line& result) {
  const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(' ', 1));
  if (parts.size() < 2 || parts[0].size() != 12 || parts[0][2] != ':' || parts[0][8] != '.') return false;
  const absl::string_view rest = parts[1];
  const size_t open = rest.find(" ["), close = rest.find("] ");
  if (open == absl::string_view::npos || close == absl::string_view::npos || close < open) return false;
  result.level = std::string(absl::StripAsciiWhitespace(rest.substr(0, open)));
  result.message = std::string(rest.substr(close + 2));
  return true;
}

bool ReadJson(absl::string_view line, Line& result) {
  if (!absl::StartsWith(line, "{")) return false;
  const nlohmann::json json = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
  if (!json.is_object()) return false;
  const auto text = [&json](const char* key) {
    return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string();
  };
  result = {text("level"), text("msg")};
  return !result.message.empty();
}

Line Read(absl::string_view text) {
  Line line;
  text = absl::StripAsciiWhitespace(text);
  if (ReadPlain(text, line) || ReadJson(text, line)) return line;
  // "program: sentence"
  const size_t colon = text.find(": ");
  if (absl::StartsWith(text, "lvrpo") && colon != absl::string_view::npos &&
      text.substr(0, colon).find(' ') == absl::string_view::npos) {
    return {"error", std::string(text.substr(colon + 2))};
  }
  return {"", std::string(text)};
}

}  // namespace

std::string MessageOfLine(absl::string_view line) { return OneLine(Read(line).message, kLongest); }

std::string LastComplaint(absl::string_view text) {
  std::string last;
  for (const absl::string_view part : absl::StrSplit(text, '\n')) {
    const Line line = Read(part);
    if (line.level == "warning" || line.level == "error" || line.level == "critical") last = line.message;
  }
  return OneLine(last, kLongest);
}

std::string ReadFileFrom(const std::string& path, size_t offset) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  const off_t size = lseek(fd, 0, SEEK_END);
  std::string text;
  if (size > static_cast<off_t>(offset)) {
    const size_t end = static_cast<size_t>(size), begin = std::max(offset, end - std::min(end, kMostRead));
    text.resize(end - begin);
    const ssize_t got = pread(fd, text.data(), text.size(), static_cast<off_t>(begin));
    text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  }
  close(fd);
  return text;
}

}  // namespace lvrpo
