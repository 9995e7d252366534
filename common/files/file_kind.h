#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// What a file is that turned out not to be what was wanted, for the message that says so. Nothing here
// decides whether a file is taken. Pure but for the functions that take a path; thread-safe; any bytes will
// do.
namespace lvrpo {

// How many bytes from a file's beginning the functions below look at.
inline constexpr size_t kFileKindBytes = 1024;

// "a Git LFS pointer: fetch the file itself, ..." for the beginning of a file of a known kind: pointers, web
// pages, archives, weights and pictures of other formats. "" for anything else, and for nothing at all.
std::string KnownFileKind(absl::string_view beginning);

// The same for a file that should have held something else than text: also "empty", and how a text begins.
std::string FileKind(absl::string_view beginning);

// Why nothing can be read at `path`, or what lies there: a link whose target is missing, a folder that may
// not be entered, a folder, a device, an empty file, or FileKind of its beginning. "" when nothing is there
// at all, and when its bytes say nothing.
std::string WhatIsAt(const std::string& path);

// A refused file's status with WhatIsAt its path, unless its message says that already. A link whose target
// is missing is InvalidArgument then, not NotFound.
absl::Status WithFileKind(const absl::Status& refused, const std::string& path);

// A text of any bytes made fit for one line of a message or a terminal: at most `most` characters and then
// "...", ill-formed UTF-8 as U+FFFD, and no character that moves, hides or colours text (C0, DEL, C1, line
// and paragraph separators, marks of direction, zero-width ones): each is a blank.
std::string OneLine(absl::string_view text, size_t most = 80);

}  // namespace lvrpo
