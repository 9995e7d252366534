#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/records/audit.h"
#include "coordinator/records/statement.h"
#include "coordinator/records/store.h"
#include "coordinator/state/digests.h"

namespace lvrpo {

// Collects the violations of one invariant.
class Promise {
 public:
  explicit Promise(std::string text) : text_(std::move(text)) {}
  void Broken(const std::string& how);
  bool holds() const { return broken_ == 0; }
  Proof Result() const;

 private:
  std::string text_, how_;
  int64_t broken_ = 0;
};

// One pass over a run's records, first to last: memory grows with the number of steps, not of groups. Parts
// run in the order of declaration. Not thread-safe.
class RunAudit {
 public:
  RunAudit(Store& store, std::string run_dir);
  absl::Status Prepare();
  absl::Status ReadSteps();   // with the groups that each consumed
  absl::Status ReadGroups();  // all of them
  absl::Status ReadAcknowledgements();
  absl::Status ReadCheckpoints();
  absl::Status ReadEvaluations();
  absl::Status ReadSums();
  std::vector<Proof> Proofs() const;

 private:
  void CheckStep(int64_t row, const std::string& bytes);
  void CheckConsumed(const v1::StepRecord& step, int64_t ordinal, std::vector<std::string>* records);
  void CheckSamples(const v1::GroupRecord& group);
  void CheckAcknowledged(const v1::GroupRecord& group);
  void CheckGroup(int64_t ordinal, int64_t state, int64_t step, const std::string& bytes);
  void CheckCheckpoint(const v1::CheckpointRecord& checkpoint, bool newest);

  Store& store_;
  const std::string run_dir_;
  RunIdentity identity_;
  int64_t steps_ = 0, next_ordinal_ = 0;
  int32_t generation_ = 0;  // of the newest step's groups
  bool finished_ = false;
  std::string base_digest_;

  std::string chain_;  // digest that the next step's record must name
  int64_t frontier_ = 0, expected_step_ = 0, expected_ordinal_ = 0;
  std::vector<bool> named_;                                   // by ordinal: a step names it
  std::map<int64_t, std::string> published_;                  // version -> digest
  std::set<std::pair<int64_t, std::string>> ever_published_;  // with those of abandoned steps
  std::set<std::string> base_digests_;
  std::map<v1::RetireReason, int64_t> retired_;
  std::unique_ptr<Statement> find_group_, find_acknowledgement_;

  std::unique_ptr<Promise> sequence_, once_, complete_, fresh_, all_known_, versions_, checkpoints_,
      evaluations_, chain_whole_, untouched_;
};

}  // namespace lvrpo
