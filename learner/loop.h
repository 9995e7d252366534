#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/metrics.h"
#include "coordinator/client.h"
#include "learner/spool.h"
#include "learner/trainer.h"
#include "learner/weight_service.h"

namespace lvrpo {

// The learner's life: start where the records say, then assign, load, train, publish, commit, save, until the
// run has finished or drains. One thread.
class LearnerLoop {
 public:
  struct Options {
    v1::RunConfig config;
    std::string run_dir;
  };
  // All arguments must outlive it.
  LearnerLoop(Options options, GrpoTrainer& trainer, Spool& spool, WeightService& weights,
              MemberSession& session, Metrics& metrics);

  // Restores the newest checkpoint on the coordinator's records that is whole, publishes the weights and
  // opens the run. Steps after it are trained again. DataLoss: there are checkpoints, and none is whole.
  absl::Status Start();
  // Returns when the run has finished or was drained (OK), or cannot go on. OutOfRange: training diverged.
  absl::Status Run(const std::function<bool()>& stop);

  // Committed steps. For the thread of Run().
  int64_t step() const { return step_; }
  v1::PolicyVersion version() const;
  std::string waiting_for() const;

 private:
  absl::Status Restore(const v1::CheckpointRecord& record);
  absl::Status Publish();
  absl::Status Open();
  // False when no step was trained: none was assigned yet, or groups of it were lost.
  absl::StatusOr<bool> TrainOneStep();
  absl::Status Save();
  void SetWaiting(const std::string& text);

  const Options options_;
  GrpoTrainer& trainer_;
  Spool& spool_;
  WeightService& weights_;
  MemberSession& session_;
  Metrics& metrics_;
  int64_t step_ = 0;         // committed steps
  int64_t saved_step_ = -1;  // of the newest checkpoint
  double waited_seconds_ = 0;

  mutable absl::Mutex mutex_;
  v1::PolicyVersion version_ ABSL_GUARDED_BY(mutex_);
  std::string waiting_for_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
