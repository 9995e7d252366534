#include "learner/loop.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/config/config.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "common/net/rpc.h"
#include "learner/checkpoint.h"
#include "learner/group_check.h"
#include "nlohmann/json.hpp"
#include "policy/run_policy.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

using Stub = v1::Coordinator::Stub;

constexpr char kDivergedAdvice[] = "lower the learning rate or resume from an earlier checkpoint";

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

LearnerLoop::LearnerLoop(Options options, PromptCheck check_prompt, GrpoTrainer& trainer, Spool& spool,
                         WeightService& weights, MemberSession& session, Metrics& metrics)
    : options_(std::move(options)),
      check_prompt_(std::move(check_prompt)),
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
  return disk_.empty() ? waiting_for_ : disk_;
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
  return restored.ok() ? Open() : restored;
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
  if (!digest.ok()) {
    if (!save_trouble_.has_value()) {
      save_trouble_ = {
          .what = std::string(digest.status().message()), .since = RealClock().Now(), .disk = true};
    }
    return false;
  }
  save_trouble_.reset();
  v1::RecordCheckpointRequest request;
  request.set_step(step_);
  request.set_path(path);
  request.set_digest(*digest);
  if (absl::Status status = session_.Call(&Stub::RecordCheckpoint, request).status(); !status.ok())
    return status;
  saved_step_ = step_;
  recorded_.insert(step_);
  metrics_.Counter("lvrpo_learner_checkpoints_total", "Checkpoints written.").Increment();
  PruneCheckpoints(JoinPath(options_.run_dir, "checkpoints"), recorded_,
                   options_.config.train().checkpoints_kept());
  return true;
}

absl::Status LearnerLoop::SaveLast(const std::function<bool()>& stop) {
  const absl::Time deadline = RealClock().Now() + options_.storage_patience;
  while (true) {
    const bool last = stop() || RealClock().Now() >= deadline;
    const absl::StatusOr<bool> saved = Save();
    if (!saved.ok()) return saved.status();
    if (*saved) return absl::OkStatus();
    if (last) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the last checkpoint could not be saved: ", save_trouble_->what));
    }
    if (absl::Status status = CheckStorage(); !status.ok()) return status;
    if (absl::Status lost = session_.lost(); !lost.ok()) return lost;
    absl::SleepFor(options_.storage_pause);
  }
}

absl::Status LearnerLoop::CheckStorage() {
  const absl::Time now = RealClock().Now();
  const absl::StatusOr<PathKind> folder = KindOf(options_.run_dir);
  if (folder.ok() && *folder == PathKind::kMissing) {
    return absl::NotFoundError(absl::StrCat("the run folder ", options_.run_dir,
                                            " is gone, and with it the run's records and checkpoints"));
  }
  if (now >= next_probe_) {
    spool_.Probe();
    next_probe_ = now + options_.storage_pause;
  }
  const std::optional<Spool::Trouble> spool = spool_.trouble(),
                                      trouble = spool.has_value() ? spool : save_trouble_;
  const bool lasting = trouble.has_value() && now - trouble->since >= options_.storage_pause;
  if (lasting && !complained_) spdlog::error("nothing can be stored: {}", trouble->what);
  if (!trouble.has_value() && complained_) spdlog::info("the disk can be written again");
  complained_ = trouble.has_value() && (complained_ || lasting);
  {
    absl::MutexLock lock(&mutex_);
    disk_ = complained_ ? absl::StrCat("its disk: ", trouble->what) : "";
  }
  // Training continues without new checkpoints, but not without groups.
  if (spool.has_value() && spool->disk && now - spool->since >= options_.storage_patience) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "no group could be stored for ", absl::FormatDuration(options_.storage_patience), ": ", spool->what));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::TrajectoryGroup> LearnerLoop::Load(const v1::AssignedGroup& assigned) const {
  absl::StatusOr<v1::TrajectoryGroup> group =
      spool_.Get(assigned.ordinal(), assigned.attempt(), assigned.trajectory_digest());
  if (!group.ok()) return group;
  if (group->ordinal() != assigned.ordinal() || group->attempt() != assigned.attempt() ||
      group->version().number() != assigned.version().number() ||
      group->version().digest() != assigned.version().digest()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the trajectories of ordinal ", assigned.ordinal(), " say they are another group's"));
  }
  // The coordinator's recorded rewards are authoritative.
  for (int i = 0; i < assigned.samples_size() && i < group->samples_size(); ++i) {
    group->mutable_samples(i)->set_reward(assigned.samples(i).reward());
    *group->mutable_samples(i)->mutable_scores() = assigned.samples(i).scores();
  }
  absl::Status usable = check_prompt_(*group);
  if (usable.ok()) usable = CheckGroup(*group, options_.config, trainer_.policy().config());
  if (!usable.ok()) return usable;
  return group;
}

absl::Status LearnerLoop::GiveUp(const std::map<const v1::AssignedGroup*, absl::Status>& groups) {
  v1::ReportLostGroupsRequest lost;
  for (const auto& [group, why] : groups) {
    const bool untrainable = absl::IsInvalidArgument(why);
    const std::string reason =
        absl::StrCat(untrainable ? "untrainable: " : "lost: ", std::string(why.message()));
    spdlog::warn("{} (from {})", reason,
                 group->member_id().empty() ? "an unknown worker" : group->member_id());
    metrics_
        .Counter("lvrpo_learner_groups_given_up_total",
                 "Groups that could not be trained on, by who sampled them.",
                 {{"reason", untrainable ? "untrainable" : "lost"}, {"member", group->member_id()}})
        .Increment();
    ++given_up_;
    lost.add_ordinals(group->ordinal());
    if (lost.reason().empty() || untrainable) lost.set_reason(reason);
  }
  return session_.Call(&Stub::ReportLostGroups, lost).status();
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
    if (absl::Status status = CheckStorage(); !status.ok()) return status;
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
  std::map<const v1::AssignedGroup*, absl::Status> unusable;
  for (const v1::AssignedGroup& assigned : assignment->groups()) {
    absl::StatusOr<v1::TrajectoryGroup> group = Load(assigned);
    if (!group.ok()) {
      unusable[&assigned] = group.status();
      continue;
    }
    groups.push_back(*std::move(group));
    commit.add_ordinals(assigned.ordinal());
  }
  if (!unusable.empty()) {
    if (absl::Status status = GiveUp(unusable); !status.ok()) return status;
    return false;
  }
  seconds["load"] = watch.Lap();

  const absl::StatusOr<GrpoTrainer::StepResult> trained = trainer_.Step(groups, step_);
  if (absl::IsOutOfRange(trained.status())) {
    return absl::OutOfRangeError(
        absl::StrCat("training diverged: ", trained.status().message(), "; ", kDivergedAdvice));
  }
  if (!trained.ok()) return trained.status();
  if (!trained->unusable.empty()) {
    for (const auto& [index, why] : trained->unusable) {
      const v1::AssignedGroup& assigned = assignment->groups(static_cast<int>(index));
      unusable[&assigned] =
          absl::InvalidArgumentError(absl::StrCat("trajectories of ordinal ", assigned.ordinal(), ": ", why));
    }
    if (absl::Status status = GiveUp(unusable); !status.ok()) return status;
    return false;
  }
  seconds["update"] = watch.Lap();
  if (trainer_.nonfinite_in_a_row() >= options_.config.train().max_nonfinite_steps()) {
    return absl::OutOfRangeError(absl::StrCat("training diverged: ", trainer_.nonfinite_in_a_row(),
                                              " updates in a row had non-finite gradients; ",
                                              kDivergedAdvice));
  }
  ++step_;
  if (absl::Status status = Publish(); !status.ok()) return status;
  seconds["publish"] = watch.Lap();

  nlohmann::json metrics = trained->metrics;
  metrics["groups_given_up"] = given_up_;
  metrics["samples"] = groups.size() * static_cast<size_t>(options_.config.rollout().group_size());
  for (const auto& [phase, value] : seconds) metrics["seconds_" + phase] = value;
  commit.set_step(step_ - 1);
  *commit.mutable_new_version() = version();
  commit.set_metrics_json(JsonText(metrics));
  absl::StatusOr<v1::CommitStepResponse> committed = session_.Call(&Stub::CommitStep, commit);
  if (!committed.ok()) return committed.status();
  seconds["commit"] = watch.Lap();
  given_up_ = 0;
  spool_.RemoveBelow(committed->lowest_open_ordinal());

  const int64_t every = options_.config.train().checkpoint_every();
  if (committed->finished() || (every > 0 && step_ % every == 0) || save_trouble_.has_value()) {
    if (absl::Status status = Save().status(); !status.ok()) return status;
    if (absl::Status status = CheckStorage(); !status.ok()) return status;
    seconds["checkpoint"] = watch.Lap();
  }
  for (const auto& [phase, value] : seconds) {
    metrics_.Seconds("lvrpo_learner_phase_seconds", "Seconds of a step's phases.", {{"phase", phase}})
        .Observe(value);
  }
  for (const auto& [name, value] : metrics.items()) {
    metrics_.Gauge("lvrpo_learner_step_value", "Figures of the newest step, by name.", {{"name", name}})
        .Set(value.get<double>());
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
  return SaveLast(stop);
}

}  // namespace lvrpo
