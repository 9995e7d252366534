#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// All queries and changes of the file system except writing a file's bytes (common/files/file.h). Nothing
// here throws, whatever the bytes of a path or the permissions, even when the working folder was removed. A
// failure names the path and the system's reason; NotFound: it does not exist; PermissionDenied: it may not
// be read, written or entered; ResourceExhausted: the disk is full. Links are followed.
namespace lvrpo {

enum class PathKind { kMissing, kFile, kFolder, kOther };  // kOther: a pipe, a device, a socket

// What is at `path`, kMissing included. PermissionDenied: a folder above it may not be entered.
absl::StatusOr<PathKind> KindOf(const std::string& path);

// Whether something visible exists. A folder without search permission hides its entries: where that matters,
// use KindOf.
bool Exists(const std::string& path);
bool IsFile(const std::string& path);
bool IsFolder(const std::string& path);

absl::StatusOr<int64_t> FileSize(const std::string& path);

// Names (not paths) of a folder's entries, sorted.
absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& folder);

// OK when there was none.
absl::Status RemoveFile(const std::string& path);
// A folder with all that is in it; OK when there was none.
absl::Status RemoveTree(const std::string& path);

// Replaces a file, or an empty folder, at `to`.
absl::Status Rename(const std::string& from, const std::string& to);
// Replaces a file at `to`.
absl::Status CopyFile(const std::string& from, const std::string& to);

// Creates the folder and its parents.
absl::Status MakeFolder(const std::string& path);
// Syncs a folder's entries to disk.
absl::Status SyncFolder(const std::string& path);

// Absolute, without ".", ".." and a slash at the end, links as they are. NotFound: the working folder is
// gone.
absl::StatusOr<std::string> AbsolutePath(const std::string& path);

// Whether the working folder was removed. Makes system calls only, so that it may run before main().
bool WorkingFolderIsGone();

std::string JoinPath(const std::string& folder, const std::string& name);
std::string ParentFolder(const std::string& path);  // "" for a plain name
std::string FileName(const std::string& path);      // "" for "folder/"

// "cannot <what> <path>: <reason>" for an errno value, with the code that its kind has.
absl::Status FileError(const std::string& what, const std::string& path, int error);

}  // namespace lvrpo
