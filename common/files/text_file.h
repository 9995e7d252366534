#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// The first steps of every reader of text files.
namespace lvrpo {

// Removes the byte order mark (EF BB BF) that some editors write.
absl::string_view WithoutByteOrderMark(absl::string_view text);

// "" when the text is UTF-8, else what is wrong: "not UTF-8 at byte 12 (0xe9): save the file as UTF-8", with
// the advice kSaveAsUtf8 at its end. Bytes are counted from 1.
inline constexpr char kSaveAsUtf8[] = ": save the file as UTF-8";
std::string NotUtf8(absl::string_view text);

inline constexpr int64_t kMostTextBytes = int64_t{1} << 30;

// A file's text without its byte order mark. Errors of ReadFile; InvalidArgument for a file of another kind
// (a pointer, a web page, an archive, UTF-16: common/files/file_kind.h). Does not check for UTF-8: the caller
// does, line by line.
absl::StatusOr<std::string> ReadTextFile(const std::string& path, int64_t most = kMostTextBytes);

}  // namespace lvrpo
