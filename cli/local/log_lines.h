#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace lvrpo {

// The message of a line of a role's log, without time, level and name: a readable line, a JSON line, or a
// program's last message ("lvrpo-learner: no memory left"). Safe to print
// (common/files/file_kind.h: OneLine), at most 300 characters. Pure.
std::string MessageOfLine(absl::string_view line);

// The message of the last line of a log's text that is a warning or worse; empty: there is none. Pure.
std::string LastComplaint(absl::string_view text);

// The end of a file after `offset`, at most 64 KiB of it; empty when it cannot be read.
std::string ReadFileFrom(const std::string& path, size_t offset);

}  // namespace lvrpo
