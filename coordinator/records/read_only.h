#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace lvrpo {

struct DatabaseFacts {
  bool may_write = false;  // next to the database
  bool has_log = false;    // -wal, with something in it
  bool has_index = false;  // -shm, which may be read
};

// What to tell SQLite (with SQLITE_OPEN_URI) so that it opens the database at `path` for reading. It wants to
// make files beside a database that has a write-ahead log; where nobody may write and no log was left behind,
// the name says that the file does not change. PermissionDenied when a log is left that cannot be read that
// way. Pure.
absl::StatusOr<std::string> ReadOnlyName(const std::string& path, const DatabaseFacts& facts);

DatabaseFacts LookAtDatabase(const std::string& path);

}  // namespace lvrpo
