#include "common/object_store/credentials_file.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace lvrpo {

std::optional<S3Credentials> ReadProfile(absl::string_view file, absl::string_view profile) {
  S3Credentials found;
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(file, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (absl::ConsumePrefix(&line, "[")) {
      absl::string_view name = absl::StripAsciiWhitespace(line.substr(0, line.find(']')));
      absl::ConsumePrefix(&name, "profile ");
      inside = absl::StripAsciiWhitespace(name) == profile;
      continue;
    }
    const size_t equals = line.find('=');
    if (!inside || equals == absl::string_view::npos) continue;
    const absl::string_view name = absl::StripAsciiWhitespace(line.substr(0, equals));
    const std::string value(absl::StripAsciiWhitespace(line.substr(equals + 1)));
    if (name == "aws_access_key_id") found.access_key = value;
    if (name == "aws_secret_access_key") found.secret_key = value;
    if (name == "aws_session_token") found.session_token = value;
  }
  if (found.access_key.empty() || found.secret_key.empty()) return std::nullopt;
  return found;
}

}  // namespace lvrpo
