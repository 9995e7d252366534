#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/telemetry/log_group.h"
#include "coordinator/records/row_sums.h"
#include "coordinator/state/changes.h"
#include "coordinator/state/digests.h"
#include "proto/lvrpo/v1/records.pb.h"

struct sqlite3;

namespace lvrpo {

struct EventRecord {
  double unix_seconds = 0;
  std::string kind;  // "coordinator_start", "member_joined", "member_gone", "steps_abandoned", ...
  std::string text;
  std::optional<GroupId> about = std::nullopt;  // for the log; not stored
};

// A member holds a version's weights.
struct Acknowledgement {
  std::string member;
  int64_t incarnation = 0;
  v1::PolicyVersion version;
};

// One entry of the run's contract (contract.h), as the database keeps it.
struct ContractEntry {
  std::string value;
  v1::Role role = v1::ROLE_UNSPECIFIED;  // role of the member that named it
};

// The coordinator's durable state: one SQLite file in WAL mode, flushed to disk at every commit. Errors of
// reads and writes: ResourceExhausted (disk full) and Unavailable (locked, read-only, input or output
// error) may pass, DataLoss and Internal do not. Not thread-safe.
class Store {
 public:
  // Opens or creates; a new file appears under its name only when its first transaction is on disk, and a
  // database without one counts as absent. An empty `config_digest` fits every run.
  // FailedPrecondition for a run folder of another version of the program or another configuration; DataLoss
  // for a damaged file, or one without records while other files of the run folder show that there were some.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& path, const std::string& run_id,
                                                     const std::string& config_digest);
  // Read-only, for audits and reports: one snapshot, whatever a coordinator writes meanwhile. NotFound, or as
  // above.
  static absl::StatusOr<std::unique_ptr<Store>> OpenReadOnly(const std::string& path);
  ~Store();

  // How long to wait for other programs' locks.
  void SetPatience(int milliseconds);
  // Runs `changes` in one transaction that is on disk when this returns OK; rolls back on error.
  absl::Status Transaction(const std::function<absl::Status()>& changes);
  // Moves what the write-ahead log holds into the database, as far as readers let it.
  absl::Status CheckpointLog();
  // SQLite's own check of the file, if it has at most `bytes`. DataLoss says what is wrong.
  absl::Status CheckFile(int64_t bytes) const;
  // The tables whose rows do not match their sums (row_sums.h). Reads all rows.
  absl::StatusOr<std::vector<std::string>> ChangedTables();

  // Inside a transaction:
  absl::Status Put(const Changes& changes);
  absl::Status PutGroup(const v1::GroupRecord& group);  // counts a group that is RETIRED
  absl::Status DeleteGroupsFrom(int64_t ordinal);
  absl::Status PutStep(const v1::StepRecord& step);
  // Moves steps from this one on, and the checkpoints that hold any of them, to the tables of abandoned ones,
  // and forgets evaluations of their weights.
  absl::Status AbandonStepsFrom(int64_t step);
  // Moves another checkpoint of the same step to the table of abandoned ones; a newer record of the same one
  // (by its digest) replaces the older.
  absl::Status PutCheckpoint(const v1::CheckpointRecord& checkpoint);
  absl::Status PutAcknowledgement(const Acknowledgement& acknowledgement);
  absl::Status PutContract(const std::string& key, const ContractEntry& entry);
  absl::Status PutEvent(const EventRecord& event);  // keeps the newest kEvents
  // Replaces that of the same step.
  absl::Status PutEvaluation(const v1::EvaluationRecord& evaluation);
  absl::Status SetNumber(const std::string& key, int64_t value);
  absl::Status SetText(const std::string& key, const std::string& value);

  absl::StatusOr<int64_t> GetNumber(const std::string& key, int64_t missing) const;
  absl::StatusOr<std::string> GetText(const std::string& key) const;
  absl::StatusOr<RunIdentity> Identity() const;
  absl::StatusOr<int64_t> CommittedSteps() const;                   // one more than the newest step's number
  absl::StatusOr<std::vector<v1::GroupRecord>> OpenGroups() const;  // PLANNED to ASSIGNED, by ordinal
  absl::StatusOr<std::vector<v1::GroupRecord>> NewestRetired(int count) const;
  absl::StatusOr<std::map<v1::RetireReason, int64_t>> RetiredByReason() const;
  absl::StatusOr<PlanPosition> Plan() const;
  absl::StatusOr<v1::GroupRecord> Group(int64_t ordinal) const;  // NotFound
  absl::StatusOr<std::vector<v1::StepRecord>> StepsFrom(int64_t step) const;
  absl::Status ForEachStep(const std::function<absl::Status(const v1::StepRecord&)>& visit) const;
  absl::StatusOr<std::vector<v1::StepRecord>> AbandonedSteps() const;     // in the order they were abandoned
  absl::StatusOr<std::vector<v1::CheckpointRecord>> Checkpoints() const;  // by step
  absl::StatusOr<std::vector<v1::CheckpointRecord>> AbandonedCheckpoints() const;
  absl::StatusOr<std::vector<v1::EvaluationRecord>> Evaluations() const;  // by step
  absl::StatusOr<std::map<std::string, ContractEntry>> Contract() const;
  absl::StatusOr<std::vector<EventRecord>> Events() const;  // in order
  // (version, digest) pairs that were acknowledged.
  absl::StatusOr<std::vector<v1::PolicyVersion>> Acknowledgements() const;

  sqlite3* database() const { return database_; }
  int64_t bytes() const;  // of its files

  static constexpr int kEvents = 10000;

 private:
  explicit Store(sqlite3* database) : database_(database) {}
  static absl::StatusOr<std::unique_ptr<Store>> OpenFile(const std::string& path, bool create);
  static absl::Status CreateFile(const std::string& path, const std::string& run_id,
                                 const std::string& config_digest);
  absl::Status Create(const std::string& run_id, const std::string& config_digest);
  absl::Status CheckIdentity(const std::string& path, const std::string& config_digest) const;
  absl::StatusOr<bool> HasTable(const std::string& name) const;
  // Adds the table of evaluations to the database of a program that had none.
  absl::Status AddEvaluations();
  absl::Status LoadSums();
  absl::Status SaveSums();
  absl::Status Execute(const std::string& sql) const;
  // Whether the database's first transaction was finished.
  absl::StatusOr<bool> HasBegun() const;

  sqlite3* database_;
  RowSums sums_;
};

}  // namespace lvrpo
