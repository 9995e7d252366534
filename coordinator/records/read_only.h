#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace lvrpo {

struct DatabaseFacts {
  bool may_write = false;  // next to the database
  bool has_log = false;    // -wal, with something in it
  bool has_index = false;  // -shm, which may be read
};

// The name (for SQLITE_OPEN_URI) that makes SQLite open the database at `path` for reading. SQLite creates
// files next to a database with a write-ahead log; where the folder is read-only and no log is left, the name
// declares the file immutable. PermissionDenied when a log is left that cannot be read that way. Pure.
absl::StatusOr<std::string> ReadOnlyName(const std::string& path, const DatabaseFacts& facts);

DatabaseFacts LookAtDatabase(const std::string& path);

}  // namespace lvrpo
