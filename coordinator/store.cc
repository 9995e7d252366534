#include "coordinator/store.h"

#include <sqlite3.h>

#include "absl/strings/str_cat.h"
#include "common/filesystem.h"
#include "common/version.h"
#include "coordinator/read_only.h"

namespace lvrpo {
namespace {

constexpr char kSchema[] = R"(
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS groups(ordinal INTEGER PRIMARY KEY, state INTEGER, step INTEGER, record BLOB);
CREATE TABLE IF NOT EXISTS steps(step INTEGER PRIMARY KEY, record BLOB);
CREATE TABLE IF NOT EXISTS abandoned_steps(id INTEGER PRIMARY KEY, step INTEGER, record BLOB);
CREATE TABLE IF NOT EXISTS checkpoints(step INTEGER PRIMARY KEY, record BLOB);
CREATE TABLE IF NOT EXISTS acknowledgements(member TEXT, incarnation INTEGER, version INTEGER, digest TEXT,
  PRIMARY KEY(member, incarnation, version, digest)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events(id INTEGER PRIMARY KEY, unix_seconds REAL, kind TEXT, text TEXT);
)";

// One prepared statement; binds from 1, finalised at the end of scope.
class Statement {
 public:
  Statement(sqlite3* database, const char* sql) : database_(database) {
    failed_ = sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr) != SQLITE_OK;
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;

  Statement& Bind(int64_t value) {
    if (!failed_) sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }
  Statement& Bind(double value) {
    if (!failed_) sqlite3_bind_double(statement_, ++bound_, value);
    return *this;
  }
  Statement& Bind(const std::string& value) {
    if (!failed_)
      sqlite3_bind_text(statement_, ++bound_, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Statement& BindBlob(const std::string& value) {
    if (!failed_)
      sqlite3_bind_blob(statement_, ++bound_, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
    return *this;
  }
  // True while there is a row.
  absl::StatusOr<bool> Step() {
    if (!failed_) {
      const int code = sqlite3_step(statement_);
      if (code == SQLITE_ROW) return true;
      if (code == SQLITE_DONE) return false;
    }
    const std::string message = absl::StrCat("the run's database: ", sqlite3_errmsg(database_));
    const int code = sqlite3_errcode(database_);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) return absl::DataLossError(message);
    return absl::InternalError(message);
  }
  absl::Status Run() {
    absl::StatusOr<bool> row = Step();
    return row.ok() ? absl::OkStatus() : row.status();
  }
  int64_t Integer(int column) const { return sqlite3_column_int64(statement_, column); }
  double Real(int column) const { return sqlite3_column_double(statement_, column); }
  std::string Bytes(int column) const {
    const void* data = sqlite3_column_blob(statement_, column);
    return std::string(static_cast<const char*>(data),
                       static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
  }

 private:
  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
  bool failed_ = false;
  int bound_ = 0;
};

template <class Record>
absl::StatusOr<std::vector<Record>> ReadRecords(sqlite3* database, const char* sql) {
  Statement select(database, sql);
  std::vector<Record> records;
  while (true) {
    absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return records;
    Record record;
    if (!record.ParseFromString(select.Bytes(0)))
      return absl::DataLossError("the run's database holds a damaged record");
    records.push_back(std::move(record));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& path, const std::string& run_id,
                                                   const std::string& config_digest) {
  sqlite3* database = nullptr;
  if (sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr) !=
      SQLITE_OK) {
    const std::string why = sqlite3_errmsg(database);
    sqlite3_close(database);
    return absl::DataLossError(absl::StrCat("cannot open ", path, ": ", why));
  }
  std::unique_ptr<Store> store(new Store(database));
  sqlite3_busy_timeout(database, 5000);
  for (const char* sql : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", kSchema}) {
    if (absl::Status status = store->Execute(sql); !status.ok()) {
      return absl::DataLossError(absl::StrCat(path, " is not a sound run database: ", status.message()));
    }
  }
  if (absl::Status status = store->Check(run_id, config_digest, path); !status.ok()) return status;
  return store;
}

absl::StatusOr<std::unique_ptr<Store>> Store::OpenReadOnly(const std::string& path) {
  const absl::StatusOr<PathKind> kind = KindOf(path);
  if (!kind.ok()) return kind.status();
  if (*kind == PathKind::kMissing) {
    return absl::NotFoundError(absl::StrCat("there is no ", path, ": is this a run folder?"));
  }
  const absl::StatusOr<std::string> name = ReadOnlyName(path, LookAtDatabase(path));
  if (!name.ok()) return name.status();
  sqlite3* database = nullptr;
  // Not SQLITE_OPEN_READONLY: what a run that was killed left in its log is brought in where that is allowed.
  if (sqlite3_open_v2(name->c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, nullptr) != SQLITE_OK) {
    const std::string why = sqlite3_errmsg(database);
    sqlite3_close(database);
    return absl::DataLossError(absl::StrCat("cannot open ", path, ": ", why));
  }
  sqlite3_busy_timeout(database, 5000);
  std::unique_ptr<Store> store(new Store(database));
  // One snapshot for all that is read: a run that goes on meanwhile does not show through.
  for (const char* sql : {"PRAGMA query_only=1", "BEGIN"}) {
    if (absl::Status status = store->Execute(sql); !status.ok()) return status;
  }
  absl::StatusOr<int64_t> format = store->GetNumber("format", -1);
  if (!format.ok())
    return absl::DataLossError(absl::StrCat(path, " is damaged: ", format.status().message()));
  if (*format != kRunFormat) {
    return absl::FailedPreconditionError(absl::StrCat(path, " has run format ", *format,
                                                      "; this program reads format ", kRunFormat,
                                                      ": use the program that wrote it"));
  }
  return store;
}

Store::~Store() { sqlite3_close(database_); }

absl::Status Store::Execute(const std::string& sql) const {
  char* error = nullptr;
  if (sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, &error) == SQLITE_OK) return absl::OkStatus();
  const absl::Status status =
      absl::InternalError(absl::StrCat("the run's database: ", error == nullptr ? "" : error));
  sqlite3_free(error);
  return status;
}

absl::Status Store::Check(const std::string& run_id, const std::string& config_digest,
                          const std::string& path) {
  absl::StatusOr<int64_t> format = GetNumber("format", -1);
  if (!format.ok()) return format.status();
  if (*format == -1) {
    return Transaction([&]() -> absl::Status {
      if (absl::Status status = SetNumber("format", kRunFormat); !status.ok()) return status;
      for (const auto& [key, value] :
           {std::pair<const char*, const std::string&>{"run_id", run_id}, {"config_digest", config_digest}}) {
        Statement insert(database_, "INSERT OR REPLACE INTO meta VALUES(?, ?)");
        if (absl::Status status = insert.Bind(std::string(key)).Bind(value).Run(); !status.ok())
          return status;
      }
      return absl::OkStatus();
    });
  }
  if (*format != kRunFormat) {
    return absl::FailedPreconditionError(absl::StrCat(path, " has run format ", *format,
                                                      "; this program reads format ", kRunFormat,
                                                      ": use the program that wrote it"));
  }
  absl::StatusOr<std::string> digest = GetText("config_digest");
  if (!digest.ok()) return digest.status();
  if (*digest != config_digest) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " belongs to a run with another configuration: resume it with its own config.yaml"));
  }
  return absl::OkStatus();
}

absl::Status Store::Transaction(const std::function<absl::Status()>& changes) {
  if (absl::Status status = Execute("BEGIN IMMEDIATE"); !status.ok()) return status;
  absl::Status status = changes();
  if (status.ok()) status = Execute("COMMIT");
  if (!status.ok()) (void)Execute("ROLLBACK");
  return status;
}

absl::Status Store::PutGroup(const v1::GroupRecord& group) {
  Statement insert(database_, "INSERT OR REPLACE INTO groups VALUES(?, ?, ?, ?)");
  return insert.Bind(group.ordinal())
      .Bind(int64_t{group.state()})
      .Bind(group.step())
      .BindBlob(group.SerializeAsString())
      .Run();
}

absl::Status Store::DeleteGroupsFrom(int64_t ordinal) {
  return Statement(database_, "DELETE FROM groups WHERE ordinal >= ?").Bind(ordinal).Run();
}

absl::Status Store::PutStep(const v1::StepRecord& step) {
  Statement insert(database_, "INSERT INTO steps VALUES(?, ?)");
  return insert.Bind(step.step()).BindBlob(step.SerializeAsString()).Run();
}

absl::Status Store::AbandonStepsFrom(int64_t step) {
  absl::Status status =
      Statement(database_,
                "INSERT INTO abandoned_steps(step, record) SELECT step, record FROM steps WHERE step >= ?")
          .Bind(step)
          .Run();
  if (!status.ok()) return status;
  return Statement(database_, "DELETE FROM steps WHERE step >= ?").Bind(step).Run();
}

absl::Status Store::PutCheckpoint(const v1::CheckpointRecord& checkpoint) {
  Statement insert(database_, "INSERT OR REPLACE INTO checkpoints VALUES(?, ?)");
  return insert.Bind(checkpoint.step()).BindBlob(checkpoint.SerializeAsString()).Run();
}

absl::Status Store::DeleteCheckpointsFrom(int64_t step) {
  return Statement(database_, "DELETE FROM checkpoints WHERE step >= ?").Bind(step).Run();
}

absl::Status Store::PutAcknowledgement(const std::string& member, int64_t incarnation,
                                       const v1::PolicyVersion& version) {
  Statement insert(database_, "INSERT OR IGNORE INTO acknowledgements VALUES(?, ?, ?, ?)");
  return insert.Bind(member).Bind(incarnation).Bind(version.version()).Bind(version.digest()).Run();
}

absl::Status Store::PutEvent(const EventRecord& event) {
  Statement insert(database_, "INSERT INTO events(unix_seconds, kind, text) VALUES(?, ?, ?)");
  return insert.Bind(event.unix_seconds).Bind(event.kind).Bind(event.text).Run();
}

absl::Status Store::SetNumber(const std::string& key, int64_t value) {
  return Statement(database_, "INSERT OR REPLACE INTO meta VALUES(?, ?)").Bind(key).Bind(value).Run();
}

absl::StatusOr<int64_t> Store::GetNumber(const std::string& key, int64_t missing) const {
  Statement select(database_, "SELECT value FROM meta WHERE key = ?");
  absl::StatusOr<bool> row = select.Bind(key).Step();
  if (!row.ok()) return row.status();
  return *row ? select.Integer(0) : missing;
}

absl::StatusOr<std::string> Store::GetText(const std::string& key) const {
  Statement select(database_, "SELECT value FROM meta WHERE key = ?");
  absl::StatusOr<bool> row = select.Bind(key).Step();
  if (!row.ok()) return row.status();
  return *row ? select.Bytes(0) : std::string();
}

absl::StatusOr<std::vector<v1::GroupRecord>> Store::Groups() const {
  return ReadRecords<v1::GroupRecord>(database_, "SELECT record FROM groups ORDER BY ordinal");
}

absl::StatusOr<std::vector<v1::StepRecord>> Store::Steps() const {
  return ReadRecords<v1::StepRecord>(database_, "SELECT record FROM steps ORDER BY step");
}

absl::StatusOr<std::vector<v1::CheckpointRecord>> Store::Checkpoints() const {
  return ReadRecords<v1::CheckpointRecord>(database_, "SELECT record FROM checkpoints ORDER BY step");
}

absl::StatusOr<std::vector<EventRecord>> Store::Events() const {
  Statement select(database_, "SELECT unix_seconds, kind, text FROM events ORDER BY id");
  std::vector<EventRecord> events;
  while (true) {
    absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return events;
    events.push_back({select.Real(0), select.Bytes(1), select.Bytes(2)});
  }
}

absl::StatusOr<std::vector<v1::StepRecord>> Store::AbandonedSteps() const {
  return ReadRecords<v1::StepRecord>(database_, "SELECT record FROM abandoned_steps ORDER BY id");
}

absl::StatusOr<std::vector<v1::PolicyVersion>> Store::Acknowledgements() const {
  Statement select(database_, "SELECT DISTINCT version, digest FROM acknowledgements ORDER BY version");
  std::vector<v1::PolicyVersion> versions;
  while (true) {
    absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return versions;
    v1::PolicyVersion version;
    version.set_version(select.Integer(0));
    version.set_digest(select.Bytes(1));
    versions.push_back(version);
  }
}

}  // namespace lvrpo
