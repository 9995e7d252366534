#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lvrpo {

// Maps SQLite's newest error: ResourceExhausted for a full disk; Unavailable for
// what may pass (the database is locked or read-only, an input or output error); DataLoss for a damaged file;
// Internal for the rest.
absl::Status DatabaseError(sqlite3* database);

// One prepared statement; binds from 1, finalised at the end of scope.
class Statement {
 public:
  Statement(sqlite3* database, const std::string& sql);
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;

  Statement& Bind(int64_t value);
  Statement& Bind(double value);
  Statement& Bind(const std::string& value);
  Statement& BindBlob(const std::string& value);
  // True while there is a row.
  absl::StatusOr<bool> Step();
  absl::Status Run();
  // Makes it ready to be bound and stepped again.
  Statement& Reset();

  int64_t Integer(int column) const { return sqlite3_column_int64(statement_, column); }
  double Real(int column) const { return sqlite3_column_double(statement_, column); }
  std::string Bytes(int column) const;

 private:
  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
  bool failed_ = false;
  int bound_ = 0;
};

}  // namespace lvrpo
