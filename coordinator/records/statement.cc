#include "coordinator/records/statement.h"

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace lvrpo {

absl::Status DatabaseError(sqlite3* database) {
  const int code = sqlite3_errcode(database) & 0xff;
  const std::string message = absl::StrCat("the run's database: ", sqlite3_errmsg(database));
  switch (code) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
      return absl::OkStatus();
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(absl::StrCat("disk full: ", message));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(absl::StrCat("locked by another program: ", message));
    case SQLITE_READONLY:
      return absl::UnavailableError(absl::StrCat("read-only: ", message));
    case SQLITE_IOERR:
      if (const int error = sqlite3_system_errno(database); error == ENOSPC || error == EDQUOT)
        return absl::ResourceExhaustedError(absl::StrCat("disk full: ", message));
      return absl::UnavailableError(message);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_NOLFS:
    case SQLITE_PROTOCOL:
    case SQLITE_INTERRUPT:
      return absl::UnavailableError(message);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(message);
    default:
      return absl::InternalError(message);
  }
}

Statement::Statement(sqlite3* database, const std::string& sql) : database_(database) {
  failed_ = sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &statement_, nullptr) !=
            SQLITE_OK;
}

Statement& Statement::Bind(int64_t value) {
  if (!failed_) sqlite3_bind_int64(statement_, ++bound_, value);
  return *this;
}

Statement& Statement::Bind(double value) {
  if (!failed_) sqlite3_bind_double(statement_, ++bound_, value);
  return *this;
}

Statement& Statement::Bind(const std::string& value) {
  if (!failed_)
    sqlite3_bind_text(statement_, ++bound_, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
  return *this;
}

Statement& Statement::BindBlob(const std::string& value) {
  if (!failed_)
    sqlite3_bind_blob(statement_, ++bound_, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  if (!failed_) {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
  }
  absl::Status status = DatabaseError(database_);
  if (status.ok()) return absl::InternalError("the run's database: a statement failed without a reason");
  return status;
}

absl::Status Statement::Run() {
  absl::StatusOr<bool> row = Step();
  return row.ok() ? absl::OkStatus() : row.status();
}

Statement& Statement::Reset() {
  if (!failed_) sqlite3_reset(statement_);
  bound_ = 0;
  return *this;
}

std::string Statement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string()
                         : std::string(static_cast<const char*>(data), static_cast<size_t>(size));
}

}  // namespace lvrpo
