#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/records.pb.h"

struct sqlite3;

namespace lvrpo {

struct EventRecord {
  double unix_seconds = 0;
  std::string
      kind;  // "coordinator_start", "member_joined", "member_gone", "lease_expired", "steps_abandoned", ...
  std::string text;
};

// The coordinator's durable memory: one SQLite file in WAL mode, flushed to disk at every commit. Not
// thread-safe.
class Store {
 public:
  // Opens or creates. FailedPrecondition for a run folder of another version of the program or another
  // configuration; DataLoss for a damaged file.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& path, const std::string& run_id,
                                                     const std::string& config_digest);
  // Read-only, for audits and reports: one snapshot, whatever a coordinator writes meanwhile. NotFound, or as
  // above.
  static absl::StatusOr<std::unique_ptr<Store>> OpenReadOnly(const std::string& path);
  ~Store();

  // Runs `changes` in one transaction that is on disk when this returns OK; rolls back on error.
  absl::Status Transaction(const std::function<absl::Status()>& changes);

  // Inside a transaction:
  absl::Status PutGroup(const v1::GroupRecord& group);
  absl::Status DeleteGroupsFrom(int64_t ordinal);
  absl::Status PutStep(const v1::StepRecord& step);
  // Moves steps from this one on to the table of abandoned steps.
  absl::Status AbandonStepsFrom(int64_t step);
  absl::Status PutCheckpoint(const v1::CheckpointRecord& checkpoint);
  absl::Status DeleteCheckpointsFrom(int64_t step);
  absl::Status PutAcknowledgement(const std::string& member, int64_t incarnation,
                                  const v1::PolicyVersion& version);
  absl::Status PutEvent(const EventRecord& event);
  absl::Status SetNumber(const std::string& key, int64_t value);

  absl::StatusOr<int64_t> GetNumber(const std::string& key, int64_t missing) const;
  absl::StatusOr<std::string> GetText(const std::string& key) const;
  absl::StatusOr<std::vector<v1::GroupRecord>> Groups() const;            // by ordinal
  absl::StatusOr<std::vector<v1::StepRecord>> Steps() const;              // by step
  absl::StatusOr<std::vector<v1::StepRecord>> AbandonedSteps() const;     // in the order they were abandoned
  absl::StatusOr<std::vector<v1::CheckpointRecord>> Checkpoints() const;  // by step
  absl::StatusOr<std::vector<EventRecord>> Events() const;                // in order
  // (version, digest) pairs that were acknowledged.
  absl::StatusOr<std::vector<v1::PolicyVersion>> Acknowledgements() const;

 private:
  explicit Store(sqlite3* database) : database_(database) {}
  absl::Status Execute(const std::string& sql) const;
  absl::Status Check(const std::string& run_id, const std::string& config_digest, const std::string& path);

  sqlite3* database_;
};

}  // namespace lvrpo
