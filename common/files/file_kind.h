#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// Recognises the kind of a file that was refused, for the error message. Nothing here decides whether a file
// is accepted. Pure except for the functions that take a path; thread-safe; accepts any bytes.
namespace lvrpo {

// How many leading bytes of a file the functions below inspect.
inline constexpr size_t kFileKindBytes = 1024;

// "a Git LFS pointer: fetch the file itself, ..." for the beginning of a file of a known kind: pointers, web
// pages, archives, weights and pictures of other formats. "" for anything else, and for empty input.
std::string KnownFileKind(absl::string_view beginning);

// The same for a file that should be binary: also "empty", and how a text begins.
std::string FileKind(absl::string_view beginning);

// Why nothing can be read at `path`, or what is there: a dangling link, a folder without search permission, a
// folder, a device, an empty file, or FileKind of its beginning. "" when nothing is there, and when the kind
// is not recognised.
std::string WhatIsAt(const std::string& path);

// Adds WhatIsAt(path) to the status of a refused file, unless its message has it already. A dangling link
// becomes InvalidArgument instead of NotFound.
absl::Status WithFileKind(const absl::Status& refused, const std::string& path);

// Makes any bytes printable on one line of a message or a terminal: at most `most` characters and then "...",
// ill-formed UTF-8 as U+FFFD, and no character that moves, hides or colours text (C0, DEL, C1, line and
// paragraph separators, marks of direction, zero-width ones): each becomes a space.
std::string OneLine(absl::string_view text, size_t most = 80);

// The same for a message of several lines and any length: line feeds stay.
std::string PrintableLines(absl::string_view text);

}  // namespace lvrpo
