#include "learner/loop.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "algorithm/run_policy.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/file.h"
#include "common/json_text.h"
#include "common/rpc.h"
#include "learner/checkpoint.h"
#include "nlohmann/json.hpp"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

using Stub = v1::Coordinator::Stub;

// Seconds since the last call.
class Stopwatch {
 public:
  double Lap() {
    const absl::Time now = RealClock().Now();
    const double seconds = absl::ToDoubleSeconds(now - last_);
    last_ = now;
    return seconds;
  }

 private:
  absl::Time last_ = RealClock().Now();
};

}  // namespace

LearnerLoop::LearnerLoop(Options options, GrpoTrainer& trainer, Spool& spool, WeightService& weights,
                         MemberSession& session, Metrics& metrics)
    : options_(std::move(options)),
      trainer_(trainer),
      spool_(spool),
      weights_(weights),
      session_(session),
      metrics_(metrics) {}

v1::PolicyVersion LearnerLoop::version() const {
  absl::MutexLock lock(&mutex_);
  return version_;
}

std::string LearnerLoop::waiting_for() const {
  absl::MutexLock lock(&mutex_);
  return waiting_for_;
}

void LearnerLoop::SetWaiting(const std::string& text) {
  absl::MutexLock lock(&mutex_);
  waiting_for_ = text;
}

absl::Status LearnerLoop::Publish() {
  auto packed = std::make_shared<PackedWeights>(PackWeights(trainer_.trained(), step_));
  const v1::PolicyVersion version = packed->manifest.version();
  weights_.Publish(std::move(packed));
  absl::MutexLock lock(&mutex_);
  version_ = version;
  return absl::OkStatus();
}

absl::Status LearnerLoop::Open() {
  v1::StartTrainingRequest request;
  *request.mutable_version() = version();
  return session_.Call(&Stub::StartTraining, request).status();
}

absl::Status LearnerLoop::Restore(const v1::CheckpointRecord& record) {
  absl::StatusOr<Checkpoint> checkpoint =
      LoadCheckpoint(JoinPath(options_.run_dir, record.path()), record.digest());
  if (!checkpoint.ok()) return checkpoint.status();
  if (absl::Status status = trainer_.RestoreWeights(checkpoint->weights); !status.ok()) return status;
  if (absl::Status status = trainer_.RestoreOptimizers(checkpoint->optimizer); !status.ok()) return status;
  step_ = saved_step_ = checkpoint->step;
  if (absl::Status status = Publish(); !status.ok()) return status;
  if (version().digest() != checkpoint->weights_digest) {
    return absl::DataLossError(absl::StrCat(record.path(), " holds other weights than its manifest says"));
  }
  spdlog::info("going on from {} after {} steps", record.path(), step_);
  return absl::OkStatus();
}

absl::Status LearnerLoop::Start() {
  const auto& checkpoints = session_.registration().checkpoints();
  absl::Status restored = checkpoints.empty() ? Publish() : absl::Status();
  for (int i = 0; i < checkpoints.size(); ++i) {
    const absl::Status status = Restore(checkpoints[i]);
    restored = i == 0 || status.ok() ? status : restored;  // the newest one's trouble is what matters
    if (!absl::IsDataLoss(status) && !absl::IsNotFound(status)) break;
    spdlog::warn("{}; {}", std::string(status.message()),
                 i + 1 < checkpoints.size() ? "trying the checkpoint before it" : "there is none before it");
  }
  return restored.ok() ? Open() : restored;
}

absl::Status LearnerLoop::Save() {
  if (saved_step_ == step_) return absl::OkStatus();
  Checkpoint checkpoint;
  checkpoint.step = step_;
  checkpoint.weights_digest = version().digest();
  checkpoint.config_digest = ConfigDigest(options_.config);
  checkpoint.weights = CloneTensors(trainer_.trained());
  checkpoint.optimizer = trainer_.OptimizerState();
  checkpoint.lora = TrainedAdapters(options_.config, Bagel::ExpectedTensors(trainer_.policy().config()));
  checkpoint.base_model = options_.config.model().policy();
  const std::string path = CheckpointPath(step_);
  absl::StatusOr<std::string> digest = SaveCheckpoint(JoinPath(options_.run_dir, path), checkpoint);
  if (!digest.ok()) return digest.status();
  v1::RecordCheckpointRequest request;
  request.set_step(step_);
  request.set_path(path);
  request.set_digest(*digest);
  if (absl::Status status = session_.Call(&Stub::RecordCheckpoint, request).status(); !status.ok())
    return status;
  saved_step_ = step_;
  metrics_.Counter("lvrpo_learner_checkpoints_total", "Checkpoints written.").Increment();
  PruneCheckpoints(JoinPath(options_.run_dir, "checkpoints"), step_,
                   options_.config.train().checkpoints_kept());
  return absl::OkStatus();
}

absl::StatusOr<bool> LearnerLoop::TrainOneStep() {
  Stopwatch watch;
  v1::AssignStepRequest assign;
  assign.set_step(step_);
  absl::StatusOr<v1::AssignStepResponse> assignment = session_.Call(&Stub::AssignStep, assign);
  if (ErrorInfoOf(assignment.status()).reason() == "NOT_STARTED") {
    if (absl::Status status = Open(); !status.ok()) return status;
    return false;
  }
  if (!assignment.ok()) return assignment.status();
  if (!assignment->assigned()) {
    SetWaiting(assignment->waiting_for());
    absl::SleepFor(absl::Seconds(std::clamp(assignment->retry_after_seconds(), 0.01, 1.0)));
    waited_seconds_ += watch.Lap();
    return false;
  }
  SetWaiting("");
  std::map<std::string, double> seconds;
  seconds["wait"] = waited_seconds_ + watch.Lap();
  waited_seconds_ = 0;

  std::vector<v1::TrajectoryGroup> groups;
  v1::CommitStepRequest commit;
  v1::ReportLostGroupsRequest lost;
  for (const v1::AssignedGroup& assigned : assignment->groups()) {
    absl::StatusOr<v1::TrajectoryGroup> group =
        spool_.Get(assigned.ordinal(), assigned.attempt(), assigned.trajectory_digest());
    absl::Status usable = group.status();
    if (usable.ok() && (group->ordinal() != assigned.ordinal() || group->attempt() != assigned.attempt() ||
                        group->version().version() != assigned.version().version() ||
                        group->version().digest() != assigned.version().digest())) {
      usable = absl::InvalidArgumentError(
          absl::StrCat("the trajectories of ordinal ", assigned.ordinal(), " say they are another group's"));
    }
    if (usable.ok()) usable = trainer_.Check(*group);
    if (!usable.ok()) {  // one bad group costs itself, never the run
      spdlog::warn("{}", std::string(usable.message()));
      lost.add_ordinals(assigned.ordinal());
      lost.set_reason(std::string(usable.message()));
      continue;
    }
    // What the coordinator recorded is the truth about rewards.
    for (int i = 0; i < assigned.samples_size() && i < group->samples_size(); ++i) {
      group->mutable_samples(i)->set_reward(assigned.samples(i).reward());
      *group->mutable_samples(i)->mutable_scores() = assigned.samples(i).scores();
    }
    groups.push_back(*std::move(group));
    commit.add_ordinals(assigned.ordinal());
  }
  if (lost.ordinals_size() > 0) {
    if (absl::Status status = session_.Call(&Stub::ReportLostGroups, lost).status(); !status.ok())
      return status;
    return false;
  }
  seconds["load"] = watch.Lap();

  absl::StatusOr<GrpoTrainer::StepMetrics> trained = trainer_.Step(groups, step_);
  if (!trained.ok()) return trained.status();
  seconds["update"] = watch.Lap();
  if (trainer_.nonfinite_in_a_row() >= options_.config.train().max_nonfinite_steps()) {
    return absl::OutOfRangeError(
        absl::StrCat("training diverged: ", trainer_.nonfinite_in_a_row(),
                     " updates in a row had non-finite gradients; lower the learning rate or resume "
                     "from an earlier checkpoint"));
  }
  ++step_;
  if (absl::Status status = Publish(); !status.ok()) return status;
  seconds["publish"] = watch.Lap();

  nlohmann::json metrics = *trained;
  metrics["samples"] = groups.size() * static_cast<size_t>(options_.config.rollout().group_size());
  for (const auto& [phase, value] : seconds) metrics["seconds_" + phase] = value;
  commit.set_step(step_ - 1);
  *commit.mutable_new_version() = version();
  commit.set_metrics_json(JsonText(metrics));
  absl::StatusOr<v1::CommitStepResponse> committed = session_.Call(&Stub::CommitStep, commit);
  if (!committed.ok()) return committed.status();
  seconds["commit"] = watch.Lap();
  spool_.RemoveBelow(committed->lowest_open_ordinal());

  const int64_t every = options_.config.train().checkpoint_every();
  if (committed->finished() || (every > 0 && step_ % every == 0)) {
    if (absl::Status status = Save(); !status.ok()) return status;
    seconds["checkpoint"] = watch.Lap();
  }
  for (const auto& [phase, value] : seconds) {
    metrics_.Seconds("lvrpo_learner_phase_seconds", "Seconds of a step's phases.", {{"phase", phase}})
        .Observe(value);
  }
  for (const auto& [name, value] : *trained) {
    metrics_.Gauge("lvrpo_learner_step_value", "Figures of the newest step, by name.", {{"name", name}})
        .Set(value);
  }
  metrics_.Counter("lvrpo_learner_steps_total", "Optimizer steps committed by this process.").Increment();
  metrics_.Counter("lvrpo_learner_samples_total", "Samples trained on by this process.")
      .Increment(static_cast<double>(metrics["samples"].get<size_t>()));
  return true;
}

absl::Status LearnerLoop::Run(const std::function<bool()>& stop) {
  while (step_ < options_.config.train().steps()) {
    if (absl::Status lost = session_.lost(); !lost.ok()) return lost;
    if (stop() || session_.view().draining()) break;
    if (absl::StatusOr<bool> trained = TrainOneStep(); !trained.ok()) return trained.status();
  }
  return Save();
}

}  // namespace lvrpo
