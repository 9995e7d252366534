// Store's writes. Reads are in store_read.cc, opening and migration in store_open.cc.

#include "coordinator/records/store.h"

#include <sqlite3.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/files/filesystem.h"
#include "coordinator/records/statement.h"

namespace lvrpo {
Store::~Store() { sqlite3_close(database_); }

void Store::SetPatience(int milliseconds) { sqlite3_busy_timeout(database_, milliseconds); }

absl::Status Store::Execute(const std::string& sql) const {
  Statement statement(database_, sql);
  return statement.Run();
}

absl::Status Store::Transaction(const std::function<absl::Status()>& changes) {
  if (absl::Status status = Execute("BEGIN IMMEDIATE"); !status.ok()) return status;
  const std::map<std::string, RowSums::Sum> before = sums_.all();
  absl::Status status = changes();
  if (status.ok() && sums_.all() != before) status = SaveSums();
  if (status.ok()) status = Execute("COMMIT");
  if (!status.ok()) {
    (void)Execute("ROLLBACK");
    sums_.RestoreFrom(before);
  }
  return status;
}

absl::Status Store::SaveSums() {
  for (const auto& [name, sum] : sums_.all()) {
    Statement insert(database_, "INSERT OR REPLACE INTO sums VALUES(?, ?)");
    if (absl::Status status = insert.Bind(name).Bind(sums_.Hex(name)).Run(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Store::LoadSums() {
  Statement select(database_, "SELECT name, sum FROM sums");
  while (true) {
    absl::StatusOr<bool> row = select.Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    sums_.SetHex(select.Bytes(0), select.Bytes(1));
  }
}

absl::StatusOr<std::vector<std::string>> Store::ChangedTables() {
  std::vector<std::string> changed;
  const std::map<std::string, RowSums::Sum> written = sums_.all();
  const auto restore = absl::MakeCleanup([&] { sums_.RestoreFrom(written); });
  sums_.RestoreFrom({});
  for (const SummedTable& table : SummedTables()) {
    const auto sum = written.find(table.name);
    const absl::StatusOr<bool> there = HasTable(table.name);
    if (!there.ok()) return there.status();
    if (!*there) {  // as in the records of an older program, unless it has a sum
      if (sum != written.end()) changed.push_back(table.name);
      continue;
    }
    if (absl::Status status = sums_.AddTable(database_, table); !status.ok()) return status;
    if (sum == written.end() || sum->second != sums_.all().at(table.name)) changed.push_back(table.name);
  }
  return changed;
}

int64_t Store::bytes() const {
  const std::string path = sqlite3_db_filename(database_, "main");
  int64_t sum = 0;
  for (const char* part : {"", "-wal"}) sum += FileSize(absl::StrCat(path, part)).value_or(0);
  return sum;
}

absl::Status Store::CheckpointLog() {
  if (sqlite3_wal_checkpoint_v2(database_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr) == SQLITE_OK)
    return absl::OkStatus();
  return DatabaseError(database_);
}

absl::Status Store::CheckFile(int64_t bytes) const {
  Statement size(database_, "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()");
  absl::StatusOr<bool> row = size.Step();
  if (!row.ok()) return row.status();
  if (!*row || size.Integer(0) > bytes) return absl::OkStatus();
  Statement check(database_, "PRAGMA quick_check(1)");
  row = check.Step();
  if (!row.ok()) return row.status();
  if (*row && check.Bytes(0) == "ok") return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the run's database is damaged: ", check.Bytes(0)));
}

absl::Status Store::Put(const Changes& changes) {
  if (changes.abandoned.has_value()) {
    if (absl::Status s = AbandonStepsFrom(changes.abandoned->step); !s.ok()) return s;
    if (absl::Status s = DeleteGroupsFrom(changes.abandoned->ordinal); !s.ok()) return s;
  }
  for (const auto& [ordinal, group] : changes.groups) {
    if (absl::Status s = PutGroup(*group); !s.ok()) return s;
  }
  if (changes.step != nullptr) {
    if (absl::Status s = PutStep(*changes.step); !s.ok()) return s;
  }
  if (changes.checkpoint.has_value()) {
    if (absl::Status s = PutCheckpoint(*changes.checkpoint); !s.ok()) return s;
  }
  if (changes.plan.has_value()) {
    for (const auto& [key, value] :
         {std::pair<const char*, int64_t>{"next_ordinal", changes.plan->next_ordinal},
          {"generation", changes.plan->generation},
          {"first_attempt", changes.plan->first_attempt},
          {"highest_attempt", changes.plan->highest_attempt}}) {
      if (absl::Status s = SetNumber(key, value); !s.ok()) return s;
    }
  }
  return changes.base_digest.has_value() ? SetText("base_digest", *changes.base_digest) : absl::OkStatus();
}

absl::Status Store::PutGroup(const v1::GroupRecord& group) {
  bool counted = group.state() != v1::RETIRED;
  if (!counted) {
    const absl::StatusOr<bool> before =
        Statement(database_, "SELECT 1 FROM groups WHERE ordinal = ? AND state = 6")
            .Bind(group.ordinal())
            .Step();
    if (!before.ok()) return before.status();
    counted = *before;
  }
  Statement insert(database_, "INSERT OR REPLACE INTO groups VALUES(?, ?, ?, ?)");
  absl::Status status = insert.Bind(group.ordinal())
                            .Bind(int64_t{group.state()})
                            .Bind(group.step())
                            .BindBlob(RecordBytes(group))
                            .Run();
  if (!status.ok() || counted) return status;
  return Statement(database_,
                   "INSERT INTO retired VALUES(?, 1) ON CONFLICT(reason) DO UPDATE SET count = count + 1")
      .Bind(int64_t{group.retired_reason()})
      .Run();
}

absl::Status Store::DeleteGroupsFrom(int64_t ordinal) {
  Statement retired(database_, "SELECT record FROM groups WHERE state = 6 AND ordinal >= ?");
  retired.Bind(ordinal);
  while (true) {
    const absl::StatusOr<bool> row = retired.Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    v1::GroupRecord group;
    if (!group.ParseFromString(retired.Bytes(0)))
      return absl::DataLossError("the run's database holds a damaged record");
    Statement update(database_, "UPDATE retired SET count = count - 1 WHERE reason = ?");
    if (absl::Status status = update.Bind(int64_t{group.retired_reason()}).Run(); !status.ok()) return status;
  }
  if (absl::Status status = Execute("DELETE FROM retired WHERE count <= 0"); !status.ok()) return status;
  return Statement(database_, "DELETE FROM groups WHERE ordinal >= ?").Bind(ordinal).Run();
}

absl::Status Store::PutStep(const v1::StepRecord& step) {
  Statement insert(database_, "INSERT INTO steps VALUES(?, ?)");
  return insert.Bind(step.step()).BindBlob(RecordBytes(step)).Run();
}

absl::Status Store::AbandonStepsFrom(int64_t step) {
  for (const auto& [table, first] :
       {std::pair<std::string, int64_t>{"steps", step}, {"checkpoints", step + 1}}) {
    absl::Status status = Statement(database_, absl::StrCat("INSERT INTO abandoned_", table,
                                                            "(step, record) SELECT step, record FROM ", table,
                                                            " WHERE step >= ?"))
                              .Bind(first)
                              .Run();
    if (!status.ok()) return status;
    status = Statement(database_, absl::StrCat("DELETE FROM ", table, " WHERE step >= ?")).Bind(first).Run();
    if (!status.ok()) return status;
  }
  return Statement(database_, "DELETE FROM evaluations WHERE step > ?").Bind(step).Run();
}

absl::Status Store::PutCheckpoint(const v1::CheckpointRecord& checkpoint) {
  const std::string bytes = RecordBytes(checkpoint);
  Statement find(database_, "SELECT record FROM checkpoints WHERE step = ?");
  const absl::StatusOr<bool> found = find.Bind(checkpoint.step()).Step();
  if (!found.ok()) return found.status();
  v1::CheckpointRecord there;
  if (*found && (!there.ParseFromString(find.Bytes(0)) || there.digest() != checkpoint.digest())) {
    Statement aside(database_,
                    "INSERT INTO abandoned_checkpoints(step, record) SELECT step, record FROM checkpoints "
                    "WHERE step = ?");
    if (absl::Status status = aside.Bind(checkpoint.step()).Run(); !status.ok()) return status;
  }
  Statement insert(database_, "INSERT OR REPLACE INTO checkpoints VALUES(?, ?)");
  return insert.Bind(checkpoint.step()).BindBlob(bytes).Run();
}

absl::Status Store::PutEvaluation(const v1::EvaluationRecord& evaluation) {
  return Statement(database_, "INSERT OR REPLACE INTO evaluations VALUES(?, ?)")
      .Bind(evaluation.step())
      .BindBlob(RecordBytes(evaluation))
      .Run();
}

absl::Status Store::PutAcknowledgement(const Acknowledgement& acknowledgement) {
  const v1::PolicyVersion& version = acknowledgement.version;
  return Statement(database_, "INSERT OR IGNORE INTO acknowledgements VALUES(?, ?, ?, ?)")
      .Bind(acknowledgement.member)
      .Bind(acknowledgement.incarnation)
      .Bind(version.number())
      .Bind(version.digest())
      .Run();
}

absl::Status Store::PutContract(const std::string& key, const ContractEntry& entry) {
  Statement insert(database_, "INSERT OR REPLACE INTO contract VALUES(?, ?, ?)");
  return insert.Bind(key).Bind(entry.value).Bind(int64_t{entry.role}).Run();
}

absl::Status Store::PutEvent(const EventRecord& event) {
  Statement insert(database_, "INSERT INTO events(unix_seconds, kind, text) VALUES(?, ?, ?)");
  if (absl::Status status = insert.Bind(event.unix_seconds).Bind(event.kind).Bind(event.text).Run();
      !status.ok())
    return status;
  return Statement(database_, "DELETE FROM events WHERE id <= ?")
      .Bind(int64_t{sqlite3_last_insert_rowid(database_)} - kEvents)
      .Run();
}

absl::Status Store::SetNumber(const std::string& key, int64_t value) {
  return Statement(database_, "INSERT OR REPLACE INTO meta VALUES(?, ?)").Bind(key).Bind(value).Run();
}

absl::Status Store::SetText(const std::string& key, const std::string& value) {
  return Statement(database_, "INSERT OR REPLACE INTO meta VALUES(?, ?)").Bind(key).Bind(value).Run();
}

}  // namespace lvrpo
