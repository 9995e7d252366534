// Creates and opens a run's database. Store's reads and writes are in store_read.cc and store.cc.

#include <sqlite3.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/filesystem.h"
#include "common/version.h"
#include "coordinator/records/read_only.h"
#include "coordinator/records/statement.h"
#include "coordinator/records/store.h"

namespace lvrpo {
namespace {

constexpr int kOpenPatience = 5000;
constexpr char kInMemory[] = ":memory:";

// Records of an older program have none.
constexpr char kEvaluationsTable[] =
    "CREATE TABLE IF NOT EXISTS evaluations(step INTEGER PRIMARY KEY, record BLOB)";
constexpr const char* kTables[] = {
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS groups(ordinal INTEGER PRIMARY KEY, state INTEGER, step INTEGER, record "
    "BLOB)",
    "CREATE TABLE IF NOT EXISTS steps(step INTEGER PRIMARY KEY, record BLOB)",
    "CREATE TABLE IF NOT EXISTS abandoned_steps(id INTEGER PRIMARY KEY, step INTEGER, record BLOB)",
    "CREATE TABLE IF NOT EXISTS checkpoints(step INTEGER PRIMARY KEY, record BLOB)",
    "CREATE TABLE IF NOT EXISTS abandoned_checkpoints(id INTEGER PRIMARY KEY, step INTEGER, record BLOB)",
    "CREATE TABLE IF NOT EXISTS acknowledgements(member TEXT, incarnation INTEGER, version INTEGER, digest "
    "TEXT, "
    "PRIMARY KEY(member, incarnation, version, digest)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS contract(key TEXT PRIMARY KEY, value TEXT, role INTEGER) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS retired(reason INTEGER PRIMARY KEY, count INTEGER) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS events(id INTEGER PRIMARY KEY, unix_seconds REAL, kind TEXT, text TEXT)",
    kEvaluationsTable, "CREATE TABLE IF NOT EXISTS sums(name TEXT PRIMARY KEY, sum TEXT) WITHOUT ROWID",
    // A start reads the open groups and the newest retired ones, not a million closed ones.
    "CREATE INDEX IF NOT EXISTS open_groups ON groups(ordinal) WHERE state < 5",
    "CREATE INDEX IF NOT EXISTS retired_groups ON groups(ordinal) WHERE state = 6"};

// Evidence of committed steps in other files of the folder; empty when there is none.
std::string TraceOfSteps(const std::string& database_path) {
  const std::string folder = ParentFolder(database_path);
  if (FileSize(JoinPath(folder, "metrics.jsonl")).value_or(0) > 0) return "metrics.jsonl";
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(JoinPath(folder, "checkpoints"));
  if (!names.ok()) return "";
  for (const std::string& name : *names) {
    if (absl::StartsWith(name, "step_") && name != "step_000000") return JoinPath("checkpoints", name);
  }
  return "";
}

absl::Status RecordsAreGone(const std::string& path, const std::string& trace) {
  return absl::DataLossError(absl::StrCat(path, " holds no steps, but ", trace,
                                          " next to it speaks of some: its records are gone. Put back ", path,
                                          " and ", path, "-wal, or begin a new run in another folder"));
}

// Transient errors pass through; any other means a damaged database.
absl::Status OpenError(const std::string& path, const absl::Status& status) {
  if (absl::IsUnavailable(status) || absl::IsResourceExhausted(status)) return status;
  return absl::DataLossError(absl::StrCat(path, " is not a sound run database: ", status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::OpenFile(const std::string& path, bool create) {
  sqlite3* database = nullptr;
  // Not SQLITE_OPEN_READONLY for readers: the log that a killed run left is recovered where writing is
  // allowed.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | (create ? SQLITE_OPEN_CREATE : 0);
  const int code = sqlite3_open_v2(path.c_str(), &database, flags, nullptr);
  if (code != SQLITE_OK) {
    const absl::Status why =
        database == nullptr ? absl::ResourceExhaustedError("no memory") : DatabaseError(database);
    sqlite3_close(database);
    return absl::Status(why.code(), absl::StrCat("cannot open ", path, ": ", why.message()));
  }
  std::unique_ptr<Store> store(new Store(database));
  sqlite3_extended_result_codes(database, 1);
  store->SetPatience(kOpenPatience);
  if (absl::Status status = store->sums_.Attach(database); !status.ok()) return status;
  return store;
}

absl::Status Store::CreateFile(const std::string& path, const std::string& run_id,
                               const std::string& config_digest) {
  const std::string unfinished = path + ".new";
  for (const std::string& old :
       {unfinished, unfinished + "-journal", path, path + "-journal", path + "-wal", path + "-shm"}) {
    if (absl::Status status = RemoveFile(old); !status.ok()) return status;
  }
  {
    absl::StatusOr<std::unique_ptr<Store>> store = OpenFile(unfinished, /*create=*/true);
    if (!store.ok()) return store.status();
    if (absl::Status status = (*store)->Execute("PRAGMA synchronous=FULL"); !status.ok()) return status;
    if (absl::Status status = (*store)->Create(run_id, config_digest); !status.ok()) return status;
  }
  if (absl::Status status = Rename(unfinished, path); !status.ok()) return status;
  return SyncFolder(ParentFolder(path));
}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& path, const std::string& run_id,
                                                   const std::string& config_digest) {
  const bool in_memory = path == kInMemory;
  bool begun = false;
  absl::StatusOr<std::unique_ptr<Store>> store = absl::NotFoundError(path);
  const absl::StatusOr<PathKind> kind = in_memory ? PathKind::kMissing : KindOf(path);
  if (!kind.ok()) return kind.status();
  if (in_memory || *kind != PathKind::kMissing) {
    store = OpenFile(path, in_memory);
    if (!store.ok()) return store;
    const absl::StatusOr<bool> has_begun = (*store)->HasBegun();
    if (!has_begun.ok()) return OpenError(path, has_begun.status());
    begun = *has_begun;
  }
  if (!begun) {
    if (in_memory) {
      if (absl::Status status = (*store)->Create(run_id, config_digest); !status.ok()) return status;
    } else {
      if (const std::string trace = TraceOfSteps(path); !trace.empty()) return RecordsAreGone(path, trace);
      store = absl::NotFoundError(path);  // closed before its file is replaced
      if (absl::Status status = CreateFile(path, run_id, config_digest); !status.ok()) return status;
      store = OpenFile(path, /*create=*/false);
      if (!store.ok()) return store;
    }
  }
  if (absl::Status status = (*store)->CheckIdentity(path, config_digest); !status.ok()) return status;
  for (const char* sql : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"}) {
    if (absl::Status status = (*store)->Execute(sql); !status.ok()) return OpenError(path, status);
  }
  if (absl::Status status = (*store)->LoadSums(); !status.ok()) return OpenError(path, status);
  if (absl::Status status = (*store)->AddEvaluations(); !status.ok()) return OpenError(path, status);
  if (absl::Status status = (*store)->sums_.Watch((*store)->database_); !status.ok())
    return OpenError(path, status);
  const absl::StatusOr<bool> any_step =
      Statement((*store)->database_, "SELECT 1 FROM steps UNION ALL SELECT 1 FROM abandoned_steps LIMIT 1")
          .Step();
  if (!any_step.ok()) return OpenError(path, any_step.status());
  if (!*any_step && !in_memory) {
    if (const std::string trace = TraceOfSteps(path); !trace.empty()) return RecordsAreGone(path, trace);
  }
  return store;
}

absl::StatusOr<std::unique_ptr<Store>> Store::OpenReadOnly(const std::string& path) {
  const absl::StatusOr<PathKind> kind = KindOf(path);
  if (!kind.ok()) return kind.status();
  if (*kind == PathKind::kMissing)
    return absl::NotFoundError(absl::StrCat("there is no ", path, ": is this a run folder?"));
  const absl::StatusOr<std::string> name = ReadOnlyName(path, LookAtDatabase(path));
  if (!name.ok()) return name.status();
  absl::StatusOr<std::unique_ptr<Store>> store = OpenFile(*name, /*create=*/false);
  if (!store.ok()) return store;
  const absl::StatusOr<bool> begun = (*store)->HasBegun();
  if (!begun.ok()) return OpenError(path, begun.status());
  if (!*begun) {
    return absl::NotFoundError(
        absl::StrCat(path, " is empty: its coordinator ended before it had written anything"));
  }
  if (absl::Status status = (*store)->CheckIdentity(path, /*config_digest=*/""); !status.ok()) return status;
  // One snapshot for all reads, whatever a running coordinator writes meanwhile.
  for (const char* sql : {"PRAGMA query_only=1", "BEGIN"}) {
    if (absl::Status status = (*store)->Execute(sql); !status.ok()) return status;
  }
  if (absl::Status status = (*store)->LoadSums(); !status.ok()) return OpenError(path, status);
  return store;
}

absl::Status Store::AddEvaluations() {
  const absl::StatusOr<bool> there = HasTable("evaluations");
  if (!there.ok() || *there) return there.status();
  return Transaction([&]() -> absl::Status {
    if (absl::Status status = Execute(kEvaluationsTable); !status.ok()) return status;
    return sums_.AddTable(database_, {"evaluations", {"step", "record"}});
  });
}

absl::StatusOr<bool> Store::HasTable(const std::string& name) const {
  return Statement(database_, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?")
      .Bind(name)
      .Step();
}

absl::StatusOr<bool> Store::HasBegun() const {
  const absl::StatusOr<bool> meta = HasTable("meta");
  if (!meta.ok()) return meta.status();
  const absl::StatusOr<int64_t> format = *meta ? GetNumber("format", -1) : -1;
  if (!format.ok()) return format.status();
  if (*format != -1) return true;
  const absl::StatusOr<bool> steps = HasTable("steps");
  if (!steps.ok()) return steps.status();
  if (!*steps) return false;
  const absl::StatusOr<int64_t> committed = CommittedSteps();
  if (!committed.ok()) return committed.status();
  if (*committed > 0) return absl::DataLossError("it holds steps, but not what run they belong to");
  return false;
}

absl::Status Store::CheckIdentity(const std::string& path, const std::string& config_digest) const {
  const absl::StatusOr<int64_t> format = GetNumber("format", -1);
  const absl::StatusOr<std::string> digest = GetText("config_digest");
  for (const absl::Status& status : {format.status(), digest.status()}) {
    if (!status.ok()) return OpenError(path, status);
  }
  if (*format != kRunFormat) {
    return absl::FailedPreconditionError(absl::StrCat(path, " has run format ", *format,
                                                      "; this program reads format ", kRunFormat,
                                                      ": use the program that wrote it"));
  }
  if (!config_digest.empty() && *digest != config_digest) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " belongs to a run with another configuration: resume it with its own config.yaml"));
  }
  return absl::OkStatus();
}

absl::Status Store::Create(const std::string& run_id, const std::string& config_digest) {
  return Transaction([&]() -> absl::Status {
    for (const char* sql : kTables) {
      if (absl::Status status = Execute(sql); !status.ok()) return status;
    }
    if (absl::Status status = SetNumber("format", kRunFormat); !status.ok()) return status;
    if (absl::Status status = SetText("run_id", run_id); !status.ok()) return status;
    if (absl::Status status = SetText("config_digest", config_digest); !status.ok()) return status;
    for (const SummedTable& table : SummedTables()) {
      if (absl::Status status = sums_.AddTable(database_, table); !status.ok()) return status;
    }
    return SaveSums();
  });
}

}  // namespace lvrpo
