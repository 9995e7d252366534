#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/telemetry/metrics.h"
#include "coordinator/client.h"
#include "learner/spool.h"
#include "learner/trainer.h"
#include "learner/weight_service.h"

namespace lvrpo {

// The learner's main loop: start where the records say, then assign, load, train, publish, commit, save,
// until the run has finished or drains. One thread.
class LearnerLoop {
 public:
  struct Options {
    v1::RunConfig config;
    std::string run_dir;
    // How long to retry a disk that cannot be written, and the pause between attempts.
    absl::Duration storage_patience = absl::Seconds(60), storage_pause = absl::Seconds(1);
  };
  // Whether a group answers the run's own prompt of its ordinal: InvalidArgument when not.
  using PromptCheck = std::function<absl::Status(const v1::TrajectoryGroup&)>;
  // All arguments must outlive it.
  LearnerLoop(Options options, PromptCheck check_prompt, GrpoTrainer& trainer, Spool& spool,
              WeightService& weights, MemberSession& session, Metrics& metrics);

  // Restores the newest intact checkpoint of the coordinator's records, publishes the weights and starts
  // training. Steps after it are trained again. DataLoss: there are checkpoints, and none is intact.
  absl::Status Start();
  // Returns when the run has finished or was drained (OK), or cannot go on. OutOfRange: training diverged;
  // ResourceExhausted: the disk could not be written for too long; NotFound: the run folder is gone.
  absl::Status Run(const std::function<bool()>& stop);

  // Committed steps. For the thread of Run().
  int64_t step() const { return step_; }
  v1::PolicyVersion version() const;
  std::string waiting_for() const;

 private:
  absl::Status Restore(const v1::CheckpointRecord& record);
  absl::Status Publish();
  absl::Status Open();
  // False when no step was trained: none was assigned yet, or groups of it were unusable.
  absl::StatusOr<bool> TrainOneStep();
  // The group from the spool, with the rewards that the coordinator recorded. InvalidArgument when it is
  // unusable; other errors when it is missing or damaged.
  absl::StatusOr<v1::TrajectoryGroup> Load(const v1::AssignedGroup& assigned) const;
  // Reports unusable groups of the assigned step, which the coordinator plans again or finally retires.
  absl::Status GiveUp(const std::map<const v1::AssignedGroup*, absl::Status>& groups);
  // Saves a checkpoint, unless the newest holds this step. False when it could not be written: it is retried
  // after the next step.
  absl::StatusOr<bool> Save();
  absl::StatusOr<std::string> WriteCheckpoint(const std::string& path);
  // Saves at the end, with retries within the patience; after `stop` only one more.
  absl::Status SaveLast(const std::function<bool()>& stop);
  // Reports in heartbeats and in the log why the disk cannot be written, and when that is over. An error when
  // the run cannot go on: NotFound, ResourceExhausted.
  absl::Status CheckStorage();
  void SetWaiting(const std::string& text);

  const Options options_;
  const PromptCheck check_prompt_;
  GrpoTrainer& trainer_;
  Spool& spool_;
  WeightService& weights_;
  MemberSession& session_;
  Metrics& metrics_;
  int64_t step_ = 0;         // committed steps
  int64_t saved_step_ = -1;  // of the newest checkpoint
  double waited_seconds_ = 0;
  int64_t given_up_ = 0;                        // groups since the last committed step
  std::set<int64_t> recorded_;                  // steps of the checkpoints on the coordinator's records
  std::optional<Spool::Trouble> save_trouble_;  // a checkpoint that could not be written
  absl::Time next_probe_ = absl::InfinitePast();
  bool complained_ = false;  // of the disk

  mutable absl::Mutex mutex_;
  v1::PolicyVersion version_ ABSL_GUARDED_BY(mutex_);
  std::string waiting_for_ ABSL_GUARDED_BY(mutex_);
  std::string disk_ ABSL_GUARDED_BY(mutex_);  // the disk's error, reported before other reasons to wait
};

}  // namespace lvrpo
