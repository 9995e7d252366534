#include "common/files/text_file.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/utf8.h"

namespace lvrpo {

absl::string_view WithoutByteOrderMark(absl::string_view text) {
  return absl::StartsWith(text, "\xef\xbb\xbf") ? text.substr(3) : text;
}

std::string NotUtf8(absl::string_view text) {
  if (unicode::IsValidUtf8(text)) return "";
  const std::string repaired = unicode::RepairUtf8(text);
  auto at = static_cast<size_t>(
      std::mismatch(text.begin(), text.end(), repaired.begin(), repaired.end()).first - text.begin());
  // Ill-formed bytes may begin as their replacement, U+FFFD, does: back to where that begins.
  while (at > 0 && (repaired[at] & 0xc0) == 0x80) --at;
  return absl::StrFormat("not UTF-8 at byte %d (0x%02x)%s", at + 1, static_cast<unsigned char>(text[at]),
                         kSaveAsUtf8);
}

absl::StatusOr<std::string> ReadTextFile(const std::string& path, int64_t most) {
  absl::StatusOr<std::string> bytes = ReadFile(path, most);
  if (!bytes.ok()) return WithFileKind(bytes.status(), path);
  if (const std::string kind = KnownFileKind(absl::string_view(*bytes).substr(0, kFileKindBytes));
      !kind.empty())
    return absl::InvalidArgumentError(absl::StrCat(path, " is ", kind));
  return std::string(WithoutByteOrderMark(*bytes));
}

}  // namespace lvrpo
