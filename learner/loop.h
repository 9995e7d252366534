#pragma once

#include <atomic>
#include <functional>
#include <map>
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
#include "learner/checkpoint_writer.h"
#include "learner/ranks/step_agreement.h"
#include "learner/spool.h"
#include "learner/step_keeper.h"
#include "learner/storage_watch.h"
#include "learner/trainer.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {

// The main loop of a learner's rank: start where the records say, then assign, load, train, publish, commit,
// save, until the run has finished or drains. Ranks agree before each step (StepAgreement), and rank 0 alone
// starts training, publishes, commits and saves. One thread; what heartbeats report may be read from any.
class LearnerLoop {
 public:
  struct Options {
    v1::RunConfig config;
    std::string run_dir;
    Executor* writing;  // checkpoints are written there
    // Copies of checkpoints in an object store; null: there is none.
    CheckpointStore* store = nullptr;
    CheckpointUploads* uploads = nullptr;
    // How long to retry a disk that cannot be written, and the pause between attempts.
    absl::Duration storage_patience = absl::Seconds(60), storage_pause = absl::Seconds(1);
  };
  // The samples of a group of the run (ReadGroup, trajectory/codec.h). InvalidArgument: it is unusable.
  using GroupReader = std::function<absl::StatusOr<SampledGroup>(const v1::TrajectoryGroup&)>;
  // A group of another rank: its version and task.
  using Outliner = std::function<SampledGroup(const v1::AssignedGroup&)>;
  // The processes that train together (MeetRanks), and what several need. Of one rank, all may be empty.
  struct Team {
    v1::LearnerEpoch epoch = {};
    Collectives* collectives = nullptr;  // must outlive the loop
    Outliner outline = nullptr;
    std::string run_id = "";
  };
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
  // All arguments must outlive it, and what they point to; options.writing must have finished before it goes.
  LearnerLoop(Options options, GroupReader read_group, GrpoTrainer& trainer, Spool& spool,
              WeightPublisher& weights, Session session, Waiting waiting, Metrics& metrics);

  // Restores the newest committed step from copies in memory (StepKeeper), or else the newest intact one of
  // the recorded `checkpoints` (newest first), publishes the weights and starts training. Steps after it are
  // trained again. Other ranks get from rank 0 what it has restored. DataLoss: there are checkpoints, and
  // none is intact.
  absl::Status Start(const std::vector<v1::CheckpointRecord>& checkpoints, Team team);
  // Returns when the run has finished, was drained, or was stopped on any rank (OK), or cannot go on.
  // OutOfRange: training diverged; ResourceExhausted: the disk could not be written for too long; NotFound:
  // the run folder is gone; Unavailable: the run is at its end, and its last checkpoint is in the run folder
  // and not in the store; Aborted: the ranks no longer work together.
  absl::Status Run(const std::function<bool()>& stop);

  // Committed steps. For the thread of Run().
  int64_t step() const { return step_; }
  bool drained() const { return drained_; }
  // Whether Start() has returned. Thread-safe, as is what follows.
  bool started() const { return started_; }
  v1::PolicyVersion version() const;
  // What it waits for, in words, and what kind of thing that is; empty while it works.
  struct Wait {
    std::string words = {};
    v1::Obstacle obstacle = v1::OBSTACLE_UNSPECIFIED;
  };
  Wait waits_for() const;

 private:
  // A step on its way through the phases.
  struct Step {
    v1::AssignStepResponse assignment;
    std::vector<TrainingGroup> groups;      // of the assignment, in its order
    std::map<std::string, double> figures;  // of the trainer, and what CommitStep records with them
    std::map<std::string, double> seconds;  // of the phases
    bool last = false;                      // the run has finished with it
  };

  bool IsRankZero() const { return ranks_.rank() == 0; }
  // Whether this rank has the group's trajectories.
  bool IsOwn(const v1::AssignedGroup& group) const {
    return ranks_.size() == 1 || group.rank() == ranks_.rank();
  }
  absl::StatusOr<Checkpoint> Restore(const v1::CheckpointRecord& record);
  // The newest intact checkpoint and what it holds, or the base: both are empty then.
  absl::Status RestoreNewest(const std::vector<v1::CheckpointRecord>& checkpoints, v1::CheckpointRecord& from,
                             Checkpoint& state);
  // Restores the newest committed step from copies, if they are there, on all ranks.
  absl::StatusOr<bool> RestoreCopies(const std::vector<v1::CheckpointRecord>& checkpoints);
  // From the newest checkpoint, on all ranks.
  absl::Status RestoreCheckpoint(const std::vector<v1::CheckpointRecord>& checkpoints);
  // All ranks begin with what rank 0 has, which has restored `from`.
  absl::Status BeginAlike(v1::CheckpointRecord from, const Checkpoint& state);
  // Restores what rank 0 has loaded on the other ranks.
  absl::Status ShareState(const Checkpoint& checkpoint);
  // Says from where the run goes on, in `words` too, and how many steps are trained again.
  void NoteStart(const std::string& source, const std::string& words);
  // Packs the weights and notes their version; rank 0 offers them.
  void PublishWeights();
  // Sharded: notes the version that rank 0 has packed.
  absl::Status HearVersion();
  absl::Status StartTraining();

  // Gets the step's groups, as far as they are there. What all ranks make of that.
  absl::StatusOr<StepAgreement::Verdict> Prepare(Step& step, const std::function<bool()>& stop);
  // Whether it was assigned, and whether this rank's groups are usable.
  absl::StatusOr<bool> Assign(Step& step);
  absl::StatusOr<bool> LoadGroups(Step& step);
  absl::Status TakeStep(Step& step);
  // The phases, in order. False: the step ends here, without an error.
  absl::StatusOr<bool> Train(Step& step);
  absl::StatusOr<bool> Publish(Step& step);
  absl::StatusOr<bool> Copy(Step& step);  // with learner.step_copies only
  absl::StatusOr<bool> Commit(Step& step);
  absl::StatusOr<GrpoTrainer::StepResult> UpdateWeights(const Step& step);
  // Rank 0's, and what the others hear of it.
  absl::StatusOr<v1::CommitStepResponse> CommitRecords(Step& step);
  absl::StatusOr<v1::CommitStepResponse> HearOf(absl::StatusOr<v1::CommitStepResponse> committed);
  bool SaveIsDue(const Step& step) const;
  int64_t OwnGroups(const Step& step) const;
  // Groups that any rank has given up since the last committed step.
  absl::StatusOr<double> GivenUpByAll() const;
  void Report(const Step& step);

  // The group from the spool, with the scores that the coordinator recorded. InvalidArgument when it is
  // unusable; other errors when it is missing or damaged.
  absl::StatusOr<TrainingGroup> Load(const v1::AssignedGroup& assigned) const;
  // One of another rank: its scores, without samples.
  TrainingGroup Outline(const v1::AssignedGroup& assigned) const;
  // Reports unusable groups of the assigned step, which the coordinator plans again or finally retires.
  absl::Status GiveUp(const std::map<const v1::AssignedGroup*, absl::Status>& groups);
  // Begins to write a checkpoint of this step, unless one is saved: waits for the one before to be written,
  // and for the copy of the tensors. One that could not be written is retried after the next step.
  absl::Status Save();
  Checkpoint Snapshot() const;
  // Waits until nothing is being written; looks what became of it. Errors of the coordinator.
  absl::Status AwaitWriter();
  absl::Status TakeWritten();
  // Saves at the end, with retries within the patience; after `stop` only one more. Waits for the store.
  absl::Status SaveLast(const std::function<bool()>& stop);
  absl::Status AwaitStore();
  absl::Status TrainAll(const std::function<bool()>& stop);
  // Rank 0 saves, the others wait for it: also for longer than an operation of all ranks may take.
  absl::Status End(const std::function<bool()>& stop);
  // The trainer keeps its part alone from here on.
  absl::Status Shard();
  // Whether rank 0 is `saving`, on all ranks, and then what a checkpoint needs of the others.
  absl::StatusOr<bool> JoinSaving(bool saving);
  // Sharded: begins to write this rank's part of a checkpoint, or gives it to rank 0.
  absl::Status TakePart();
  // Sleeps; at the end of the run, rank 0 also tells the others that it is still there.
  absl::Status Pause(absl::Duration duration);
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
  CheckpointWriter writer_;
  Team team_;
  StepAgreement ranks_{nullptr};
  std::optional<StepKeeper> keeper_;  // with learner.step_copies
  bool writes_parts_ = false;         // of checkpoints, on all ranks
  bool drained_ = false;
  bool ending_ = false;      // rank 0: the others wait in End()
  int64_t step_ = 0;         // committed steps
  int64_t saved_step_ = -1;  // of the newest checkpoint
  absl::Duration waited_;    // for the step to come, in earlier calls of Assign()
  int64_t given_up_ = 0;     // groups of this rank since the last committed step

  std::atomic<bool> started_ = false;
  mutable absl::Mutex mutex_;
  v1::PolicyVersion version_ ABSL_GUARDED_BY(mutex_);
  std::string waiting_for_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
