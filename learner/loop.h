#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/telemetry/metrics.h"
#include "learner/spool.h"
#include "learner/storage_watch.h"
#include "learner/trainer.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {

// The learner's main loop: start where the records say, then assign, load, train, publish, commit, save,
// until the run has finished or drains. One thread; what heartbeats report may be read from any.
class LearnerLoop {
 public:
  struct Options {
    v1::RunConfig config;
    std::string run_dir;
    // How long to retry a disk that cannot be written, and the pause between attempts.
    absl::Duration storage_patience = absl::Seconds(60), storage_pause = absl::Seconds(1);
  };
  // The samples of a group of the run (ReadGroup, trajectory/codec.h). InvalidArgument: it is unusable.
  using GroupReader = std::function<absl::StatusOr<SampledGroup>(const v1::TrajectoryGroup&)>;
  // What it asks of the coordinator, fenced: a MemberSession's calls in the product, a script in tests.
  struct Session {
    std::function<absl::StatusOr<v1::StartTrainingResponse>(const v1::StartTrainingRequest&)> start_training;
    std::function<absl::StatusOr<v1::AssignStepResponse>(const v1::AssignStepRequest&)> assign_step;
    std::function<absl::StatusOr<v1::CommitStepResponse>(const v1::CommitStepRequest&)> commit_step;
    std::function<absl::StatusOr<v1::RecordCheckpointResponse>(const v1::RecordCheckpointRequest&)>
        record_checkpoint;
    std::function<absl::StatusOr<v1::ReportLostGroupsResponse>(const v1::ReportLostGroupsRequest&)>
        report_lost_groups;
    std::function<v1::PoolView()> view;
    std::function<absl::Status()> lost;  // why the membership is over; OK while it is not
  };
  // All arguments must outlive it.
  LearnerLoop(Options options, GroupReader read_group, GrpoTrainer& trainer, Spool& spool,
              WeightPublisher& weights, Session session, Waiting waiting, Metrics& metrics);

  // Restores the newest intact one of the recorded `checkpoints` (newest first), publishes the weights and
  // starts training. Steps after it are trained again. DataLoss: there are checkpoints, and none is intact.
  absl::Status Start(const std::vector<v1::CheckpointRecord>& checkpoints);
  // Returns when the run has finished or was drained (OK), or cannot go on. OutOfRange: training diverged;
  // ResourceExhausted: the disk could not be written for too long; NotFound: the run folder is gone.
  absl::Status Run(const std::function<bool()>& stop);

  // Committed steps. For the thread of Run().
  int64_t step() const { return step_; }
  // Whether Start() has returned. Thread-safe, as are the next two.
  bool started() const { return started_; }
  v1::PolicyVersion version() const;
  std::string waiting_for() const;

 private:
  // A step on its way through the phases.
  struct Step {
    v1::AssignStepResponse assignment;
    std::vector<TrainingGroup> groups;
    std::map<std::string, double> figures;  // of the trainer, and what CommitStep records with them
    std::map<std::string, double> seconds;  // of the phases
    bool last = false;                      // the run has finished with it
  };

  absl::Status Restore(const v1::CheckpointRecord& record);
  void PublishWeights();
  absl::Status StartTraining();

  // False when no step was trained: none was assigned yet, or groups of it were unusable.
  absl::StatusOr<bool> TrainOneStep();
  // The phases, in order. False: the step ends here, without an error.
  absl::StatusOr<bool> Assign(Step& step);
  absl::StatusOr<bool> LoadGroups(Step& step);
  absl::StatusOr<bool> Train(Step& step);
  absl::StatusOr<bool> Publish(Step& step);
  absl::StatusOr<bool> Commit(Step& step);
  bool SaveIsDue(const Step& step) const;
  void Report(const Step& step);

  // The group from the spool, with the scores that the coordinator recorded. InvalidArgument when it is
  // unusable; other errors when it is missing or damaged.
  absl::StatusOr<TrainingGroup> Load(const v1::AssignedGroup& assigned) const;
  // Reports unusable groups of the assigned step, which the coordinator plans again or finally retires.
  absl::Status GiveUp(const std::map<const v1::AssignedGroup*, absl::Status>& groups);
  // Saves a checkpoint, unless the newest holds this step. False when it could not be written: it is retried
  // after the next step.
  absl::StatusOr<bool> Save();
  absl::StatusOr<std::string> WriteCheckpoint(const std::string& path);
  // Saves at the end, with retries within the patience; after `stop` only one more.
  absl::Status SaveLast(const std::function<bool()>& stop);
  void SetWaiting(const std::string& text);

  const Options options_;
  const GroupReader read_group_;
  GrpoTrainer& trainer_;
  Spool& spool_;
  WeightPublisher& weights_;
  const Session session_;
  const Waiting waiting_;
  Metrics& metrics_;
  StorageWatch storage_;
  int64_t step_ = 0;            // committed steps
  int64_t saved_step_ = -1;     // of the newest checkpoint
  absl::Duration waited_;       // for the step to come, in earlier calls of Assign()
  int64_t given_up_ = 0;        // groups since the last committed step
  std::set<int64_t> recorded_;  // steps of the checkpoints on the coordinator's records

  std::atomic<bool> started_ = false;
  mutable absl::Mutex mutex_;
  v1::PolicyVersion version_ ABSL_GUARDED_BY(mutex_);
  std::string waiting_for_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
