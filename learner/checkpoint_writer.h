#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/telemetry/metrics.h"
#include "learner/checkpoint.h"
#include "learner/checkpoints/checkpoint_store.h"
#include "learner/checkpoints/checkpoint_uploads.h"
#include "learner/checkpoints/kept_checkpoints.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// Writes a learner's checkpoints in the background, one at a time: to the disk, then to the coordinator's
// records, then (CheckpointUploads) into the object store; and removes those that are not to stay. The caller
// gives a snapshot whose tensors nothing else changes, and goes on training. Thread-safe.
class CheckpointWriter {
 public:
  struct Options {
    std::string run_dir;
    v1::KeepConfig keep;                   // in the run folder
    CheckpointStore* store = nullptr;      // to restore from; null: there is none
    CheckpointUploads* uploads = nullptr;  // null: no copies are made
    Waiting waiting = {};                  // for other ranks' parts
  };
  using Record = std::function<absl::Status(const v1::CheckpointRecord&, const std::string& weights_digest)>;
  // What became of a Write.
  struct Outcome {
    int64_t step = 0;
    absl::Status written = {};   // an error: it is not on the disk
    absl::Status recorded = {};  // an error: the coordinator refused it
  };
  // All must outlive it, and `executor` must have finished before it goes.
  CheckpointWriter(Options options, Executor& executor, Record record, Metrics& metrics);

  // A recorded checkpoint: from the run folder, or else from the store, which brings it back to the run
  // folder. Errors of LoadCheckpoint and CheckpointStore::Download.
  absl::StatusOr<Checkpoint> Load(const v1::CheckpointRecord& record);
  // The run goes on from `step`; what is recorded of later steps is dropped with them.
  void Begin(int64_t step, const std::vector<v1::CheckpointRecord>& recorded);

  // Mean reward of a step's samples; a checkpoint is judged by the mean over the steps since the Write of the
  // one before it that was recorded.
  void NoteReward(double reward);
  // Begins to write a snapshot, or another rank's part of one. Only when nothing is on its way.
  void Write(Checkpoint snapshot);
  // The ranks have lost each other: parts that are not being written now will not come.
  void NoteLost() { lost_ = true; }
  bool busy() const;
  // What became of the newest Write, once; nullopt while it is on its way.
  std::optional<Outcome> TakeOutcome();

 private:
  struct Rewards {
    double sum = 0;
    int64_t steps = 0;
  };
  void WriteNow(const Checkpoint& snapshot, v1::CheckpointRecord record, const Rewards& rewards);
  void WritePart(const Checkpoint& snapshot, const std::string& path);
  // Shows that this process has written a checkpoint, or its part of one, just now.
  void NoteTime();
  // Removes folders that are not to stay, now that there is a newer one.
  void Prune(const v1::CheckpointRecord& newest);

  const Options options_;
  Executor& executor_;
  const Record record_;
  Metrics& metrics_;
  std::atomic<bool> lost_ = false;
  mutable absl::Mutex mutex_;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<Outcome> outcome_ ABSL_GUARDED_BY(mutex_);
  CheckpointRewards recorded_ ABSL_GUARDED_BY(mutex_);
  Rewards rewards_ ABSL_GUARDED_BY(mutex_);
};

// What tells the coordinator of a checkpoint, or that a copy of it is in the store.
v1::RecordCheckpointRequest RecordRequest(const v1::CheckpointRecord& record,
                                          const std::string& weights_digest);

}  // namespace lvrpo
