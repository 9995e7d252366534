#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// What every reader of a text file does first, whatever stands in it.
namespace lvrpo {

// The text without the byte order mark (EF BB BF) that some editors put in front.
absl::string_view WithoutByteOrderMark(absl::string_view text);

// "" when the text is UTF-8, else what is wrong: "not UTF-8 at byte 12 (0xe9): save the file as UTF-8". Bytes
// are counted from 1.
std::string NotUtf8(absl::string_view text);

// A file's text without its byte order mark. Errors of ReadFile; InvalidArgument for a file of another kind
// (a pointer, a web page, an archive, UTF-16: common/files/file_kind.h). Whether all of it is UTF-8 is left
// to the caller, who knows what a line is.
absl::StatusOr<std::string> ReadTextFile(const std::string& path);

}  // namespace lvrpo
