#include "learner/loop.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/files/filesystem.h"
#include "common/net/rpc.h"
#include "common/stopwatch.h"
#include "common/words/words.h"
#include "learner/checkpoint.h"
#include "policy/run_policy.h"
#include "spdlog/spdlog.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

constexpr char kDivergedAdvice[] = "lower the learning rate or resume from an earlier checkpoint";

}  // namespace

LearnerLoop::LearnerLoop(Options options, GroupReader read_group, GrpoTrainer& trainer, Spool& spool,
                         WeightPublisher& weights, Session session, Waiting waiting, Metrics& metrics)
    : options_(std::move(options)),
      read_group_(std::move(read_group)),
      trainer_(trainer),
      spool_(spool),
      weights_(weights),
      session_(std::move(session)),
      waiting_(std::move(waiting)),
      metrics_(metrics),
      storage_({.run_dir = options_.run_dir,
                .patience = options_.storage_patience,
                .pause = options_.storage_pause},
               spool, *waiting_.clock) {}

v1::PolicyVersion LearnerLoop::version() const {
  absl::MutexLock lock(&mutex_);
  return version_;
}

std::string LearnerLoop::waiting_for() const {
  if (const std::string disk = storage_.trouble(); !disk.empty()) return disk;
  absl::MutexLock lock(&mutex_);
  return waiting_for_;
}

void LearnerLoop::SetWaiting(const std::string& text) {
  absl::MutexLock lock(&mutex_);
  waiting_for_ = text;
}

void LearnerLoop::PublishWeights() {
  auto packed = std::make_shared<PackedWeights>(PackWeights(trainer_.trained(), step_));
  const v1::PolicyVersion version = packed->manifest.version();
  weights_.Publish(std::move(packed));
  absl::MutexLock lock(&mutex_);
  version_ = version;
}

absl::Status LearnerLoop::StartTraining() {
  v1::StartTrainingRequest request;
  *request.mutable_version() = version();
  return session_.start_training(request).status();
}

absl::Status LearnerLoop::Restore(const v1::CheckpointRecord& record) {
  absl::StatusOr<Checkpoint> checkpoint =
      LoadCheckpoint(JoinPath(options_.run_dir, record.path()), record.digest());
  if (!checkpoint.ok()) return checkpoint.status();
  if (absl::Status status = trainer_.RestoreWeights(checkpoint->weights); !status.ok()) return status;
  if (absl::Status status = trainer_.RestoreOptimizers(checkpoint->optimizer); !status.ok()) return status;
  step_ = saved_step_ = checkpoint->step;
  PublishWeights();
  if (version().digest() != checkpoint->weights_digest) {
    return absl::DataLossError(absl::StrCat(record.path(), " holds other weights than its manifest says"));
  }
  spdlog::info("going on from {} after {} steps", record.path(), step_);
  return absl::OkStatus();
}

absl::Status LearnerLoop::Start(const std::vector<v1::CheckpointRecord>& checkpoints) {
  absl::Status restored;
  if (checkpoints.empty()) PublishWeights();
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    const absl::Status status = Restore(checkpoints[i]);
    restored = i == 0 || status.ok() ? status : restored;  // report the newest one's error
    if (!absl::IsDataLoss(status) && !absl::IsNotFound(status)) break;
    spdlog::warn("{}; {}", std::string(status.message()),
                 i + 1 < checkpoints.size() ? "trying the checkpoint before it" : "there is none before it");
  }
  // Records of later steps are dropped with those steps.
  for (const v1::CheckpointRecord& record : checkpoints) {
    if (record.step() <= step_) recorded_.insert(record.step());
  }
  spool_.RemoveBelow(session_.view().lowest_open_ordinal());
  if (restored.ok()) restored = StartTraining();
  started_ = true;
  return restored;
}

absl::StatusOr<std::string> LearnerLoop::WriteCheckpoint(const std::string& path) {
  Checkpoint checkpoint;
  checkpoint.step = step_;
  checkpoint.weights_digest = version().digest();
  checkpoint.config_digest = ConfigDigest(options_.config);
  checkpoint.weights = CloneTensors(trainer_.trained());
  checkpoint.optimizer = trainer_.OptimizerState();
  checkpoint.lora = TrainedAdapters(options_.config, Bagel::ExpectedTensors(trainer_.policy().config()));
  checkpoint.base_model = options_.config.model().policy();
  return SaveCheckpoint(JoinPath(options_.run_dir, path), checkpoint);
}

absl::StatusOr<bool> LearnerLoop::Save() {
  if (saved_step_ == step_) return true;
  const std::string path = CheckpointPath(step_);
  const absl::StatusOr<std::string> digest = WriteCheckpoint(path);
  storage_.NoteCheckpoint(digest.status());
  if (!digest.ok()) return false;
  v1::RecordCheckpointRequest request;
  request.set_step(step_);
  request.set_path(path);
  request.set_digest(*digest);
  if (absl::Status status = session_.record_checkpoint(request).status(); !status.ok()) return status;
  saved_step_ = step_;
  recorded_.insert(step_);
  metrics_.Counter("lvrpo_learner_checkpoints_total", "Checkpoints written.").Increment();
  PruneCheckpoints(JoinPath(options_.run_dir, "checkpoints"), recorded_,
                   options_.config.train().checkpoints_kept());
  return true;
}

absl::Status LearnerLoop::SaveLast(const std::function<bool()>& stop) {
  const absl::Time deadline = waiting_.clock->Now() + options_.storage_patience;
  while (true) {
    const bool last = stop() || waiting_.clock->Now() >= deadline;
    const absl::StatusOr<bool> saved = Save();
    if (!saved.ok()) return saved.status();
    if (*saved) return absl::OkStatus();
    if (last) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the last checkpoint could not be saved: ", storage_.checkpoint_trouble()));
    }
    if (absl::Status status = storage_.Check(); !status.ok()) return status;
    if (absl::Status lost = session_.lost(); !lost.ok()) return lost;
    waiting_.sleep(options_.storage_pause);
  }
}

absl::StatusOr<TrainingGroup> LearnerLoop::Load(const v1::AssignedGroup& assigned) const {
  const absl::StatusOr<v1::TrajectoryGroup> group =
      spool_.Get(assigned.ordinal(), assigned.attempt(), assigned.trajectory_digest());
  if (!group.ok()) return group.status();
  if (group->ordinal() != assigned.ordinal() || group->attempt() != assigned.attempt() ||
      group->version().number() != assigned.version().number() ||
      group->version().digest() != assigned.version().digest()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the trajectories of ordinal ", assigned.ordinal(), " say they are another group's"));
  }
  absl::StatusOr<SampledGroup> read = read_group_(*group);
  if (!read.ok()) return read.status();
  return TrainingGroup{.trajectories = *std::move(read),
                       .samples = {assigned.samples().begin(), assigned.samples().end()}};
}

absl::Status LearnerLoop::GiveUp(const std::map<const v1::AssignedGroup*, absl::Status>& groups) {
  v1::ReportLostGroupsRequest request;
  for (const auto& [group, why] : groups) {
    v1::LostGroup& lost = *request.add_groups();
    lost.set_ordinal(group->ordinal());
    lost.set_reason(absl::IsInvalidArgument(why) ? v1::RETIRE_UNTRAINABLE : v1::RETIRE_TRAJECTORY_LOST);
    lost.set_detail(std::string(why.message()));
    spdlog::warn("{}: {} (from {})", Word(lost.reason()), lost.detail(),
                 group->member_id().empty() ? "an unknown worker" : group->member_id());
    metrics_
        .Counter("lvrpo_learner_groups_given_up_total",
                 "Groups that could not be trained on, by who sampled them.",
                 {{"reason", Word(lost.reason())}, {"member", group->member_id()}})
        .Increment();
    ++given_up_;
  }
  return session_.report_lost_groups(request).status();
}

absl::StatusOr<bool> LearnerLoop::Assign(Step& step) {
  const absl::Time begin = waiting_.clock->Now();
  v1::AssignStepRequest request;
  request.set_step(step_);
  absl::StatusOr<v1::AssignStepResponse> assignment = session_.assign_step(request);
  if (ErrorInfoOf(assignment.status()).reason() == v1::REFUSAL_NOT_STARTED) {
    if (absl::Status status = StartTraining(); !status.ok()) return status;
    return false;
  }
  if (!assignment.ok()) return assignment.status();
  if (!assignment->assigned()) {
    if (absl::Status status = storage_.Check(); !status.ok()) return status;
    SetWaiting(assignment->waiting_for());
    waiting_.sleep(absl::Seconds(std::clamp(assignment->retry_after_seconds(), 0.01, 1.0)));
    waited_ += waiting_.clock->Now() - begin;
    return false;
  }
  SetWaiting("");
  waited_ += waiting_.clock->Now() - begin;
  step.seconds["wait"] = absl::ToDoubleSeconds(std::exchange(waited_, absl::ZeroDuration()));
  step.assignment = *std::move(assignment);
  return true;
}

absl::StatusOr<bool> LearnerLoop::LoadGroups(Step& step) {
  std::map<const v1::AssignedGroup*, absl::Status> unusable;
  for (const v1::AssignedGroup& assigned : step.assignment.groups()) {
    absl::StatusOr<TrainingGroup> group = Load(assigned);
    if (group.ok()) {
      step.groups.push_back(*std::move(group));
    } else {
      unusable[&assigned] = group.status();
    }
  }
  if (unusable.empty()) return true;
  if (absl::Status status = GiveUp(unusable); !status.ok()) return status;
  return false;
}

absl::StatusOr<bool> LearnerLoop::Train(Step& step) {
  const absl::StatusOr<GrpoTrainer::StepResult> trained = trainer_.Step(step.groups, step_);
  if (absl::IsOutOfRange(trained.status())) {
    return absl::OutOfRangeError(
        absl::StrCat("training diverged: ", trained.status().message(), "; ", kDivergedAdvice));
  }
  if (!trained.ok()) return trained.status();
  if (!trained->unusable.empty()) {
    std::map<const v1::AssignedGroup*, absl::Status> unusable;
    for (const auto& [index, why] : trained->unusable) {
      const v1::AssignedGroup& assigned = step.assignment.groups(static_cast<int>(index));
      unusable[&assigned] =
          absl::InvalidArgumentError(absl::StrCat("trajectories of ordinal ", assigned.ordinal(), ": ", why));
    }
    if (absl::Status status = GiveUp(unusable); !status.ok()) return status;
    return false;
  }
  if (trainer_.nonfinite_in_a_row() >= options_.config.train().max_nonfinite_steps()) {
    return absl::OutOfRangeError(absl::StrCat("training diverged: ", trainer_.nonfinite_in_a_row(),
                                              " updates in a row had non-finite gradients; ",
                                              kDivergedAdvice));
  }
  step.figures = trained->metrics;
  return true;
}

absl::StatusOr<bool> LearnerLoop::Publish(Step&) {
  ++step_;
  PublishWeights();
  return true;
}

absl::StatusOr<bool> LearnerLoop::Commit(Step& step) {
  step.figures["groups_given_up"] = static_cast<double>(given_up_);
  step.figures["samples"] = static_cast<double>(step.groups.size()) * options_.config.rollout().group_size();
  for (const auto& [phase, seconds] : step.seconds) step.figures["seconds_" + phase] = seconds;
  v1::CommitStepRequest commit;
  commit.set_step(step_ - 1);
  for (const v1::AssignedGroup& group : step.assignment.groups()) commit.add_ordinals(group.ordinal());
  *commit.mutable_new_version() = version();
  *commit.mutable_metrics() = {step.figures.begin(), step.figures.end()};
  const absl::StatusOr<v1::CommitStepResponse> committed = session_.commit_step(commit);
  if (!committed.ok()) return committed.status();
  given_up_ = 0;
  step.last = committed->finished();
  spool_.RemoveBelow(committed->lowest_open_ordinal());
  return true;
}

bool LearnerLoop::SaveIsDue(const Step& step) const {
  const int64_t every = options_.config.train().checkpoint_every();
  return step.last || (every > 0 && step_ % every == 0) || !storage_.checkpoint_trouble().empty();
}

void LearnerLoop::Report(const Step& step) {
  for (const auto& [phase, seconds] : step.seconds) {
    metrics_.Seconds("lvrpo_learner_phase_seconds", "Seconds of a step's phases.", {{"phase", phase}})
        .Observe(seconds);
  }
  for (const auto& [name, value] : step.figures) {
    metrics_.Gauge("lvrpo_learner_step_value", "Figures of the newest step, by name.", {{"name", name}})
        .Set(value);
  }
  metrics_.Counter("lvrpo_learner_steps_total", "Optimizer steps committed by this process.").Increment();
  metrics_.Counter("lvrpo_learner_samples_total", "Samples trained on by this process.")
      .Increment(step.figures.at("samples"));
}

absl::StatusOr<bool> LearnerLoop::TrainOneStep() {
  using Phase = absl::StatusOr<bool> (LearnerLoop::*)(Step&);
  static constexpr std::pair<const char*, Phase> kPhases[] = {{"load", &LearnerLoop::LoadGroups},
                                                              {"update", &LearnerLoop::Train},
                                                              {"publish", &LearnerLoop::Publish},
                                                              {"commit", &LearnerLoop::Commit}};
  Step step;
  if (absl::StatusOr<bool> assigned = Assign(step); !assigned.ok() || !*assigned) return assigned;
  Stopwatch watch(*waiting_.clock);
  for (const auto& [name, phase] : kPhases) {
    if (absl::StatusOr<bool> done = (this->*phase)(step); !done.ok() || !*done) return done;
    step.seconds[name] = watch.Lap();
  }
  if (SaveIsDue(step)) {
    if (absl::Status status = Save().status(); !status.ok()) return status;
    if (absl::Status status = storage_.Check(); !status.ok()) return status;
    step.seconds["checkpoint"] = watch.Lap();
  }
  Report(step);
  return true;
}

absl::Status LearnerLoop::Run(const std::function<bool()>& stop) {
  while (step_ < options_.config.train().steps()) {
    if (absl::Status lost = session_.lost(); !lost.ok()) return lost;
    if (stop() || session_.view().draining()) break;
    if (absl::StatusOr<bool> trained = TrainOneStep(); !trained.ok()) return trained.status();
  }
  return SaveLast(stop);
}

}  // namespace lvrpo
