#include "learner/loop.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/files/filesystem.h"
#include "common/net/rpc.h"
#include "common/pause_point.h"
#include "common/stopwatch.h"
#include "common/telemetry/log_group.h"
#include "common/words/words.h"
#include "learner/copies/state_slices.h"
#include "model/weights/moved.h"
#include "policy/run_policy.h"
#include "spdlog/spdlog.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kLookAtWriter = absl::Milliseconds(20);
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
               spool, *waiting_.clock),
      writer_(
          {.run_dir = options_.run_dir,
           .keep = options_.config.checkpoints().kept(),
           .store = options_.store,
           .uploads = options_.uploads},
          *options_.writing,
          [this](const v1::CheckpointRecord& record, const std::string& weights_digest) {
            v1::RecordCheckpointRequest request = RecordRequest(record, weights_digest);
            request.set_learner_epoch(team_.epoch.id());
            return session_.record_checkpoint(request).status();
          },
          metrics_) {}

v1::PolicyVersion LearnerLoop::version() const {
  absl::MutexLock lock(&mutex_);
  return version_;
}

LearnerLoop::Wait LearnerLoop::waits_for() const {
  if (const std::string disk = storage_.trouble(); !disk.empty()) return {disk, v1::OBSTACLE_DISK};
  absl::MutexLock lock(&mutex_);
  if (!waiting_for_.empty() || options_.uploads == nullptr) return {.words = waiting_for_};
  return {options_.uploads->trouble(), v1::OBSTACLE_OBJECT_STORE};
}

void LearnerLoop::SetWaiting(const std::string& text) {
  absl::MutexLock lock(&mutex_);
  waiting_for_ = text;
}

void LearnerLoop::PublishWeights() {
  auto packed = std::make_shared<PackedWeights>(PackWeights(trainer_.trained(), step_));
  const v1::PolicyVersion version = packed->manifest.version();
  if (IsRankZero()) weights_.Publish(std::move(packed));
  absl::MutexLock lock(&mutex_);
  version_ = version;
}

absl::Status LearnerLoop::StartTraining() {
  v1::StartTrainingRequest request;
  *request.mutable_version() = version();
  request.set_learner_epoch(team_.epoch.id());
  return session_.start_training(request).status();
}

Checkpoint LearnerLoop::Snapshot() const {
  Checkpoint checkpoint;
  checkpoint.step = step_;
  checkpoint.weights_digest = version().digest();
  checkpoint.config_digest = ConfigDigest(options_.config);
  if (writes_parts_) {
    checkpoint.part = ranks_.rank();
    checkpoint.parts = ranks_.size();
    checkpoint.made_by = team_.epoch.id();
    checkpoint.optimizer = HostCopies(SplitState(trainer_.StatePieces()).optimizers);
    if (!IsRankZero()) return checkpoint;
  } else {
    checkpoint.optimizer = trainer_.OptimizerState();
  }
  checkpoint.weights = HostCopies(trainer_.trained());
  checkpoint.lora = TrainedAdapters(options_.config, Bagel::ExpectedTensors(trainer_.policy().config()));
  checkpoint.base_model = options_.config.model().policy();
  return checkpoint;
}

absl::Status LearnerLoop::Save() {
  if (absl::Status status = AwaitWriter(); !status.ok()) return status;  // at most one on its way
  if (IsRankZero() && saved_step_ == step_) return absl::OkStatus();
  if (ending_) {
    const absl::StatusOr<bool> joined = JoinSaving(true);
    if (!joined.ok()) return joined.status();
  }
  writer_.Write(Snapshot());
  return TakeWritten();
}

absl::Status LearnerLoop::AwaitWriter() {
  while (writer_.busy()) {
    if (absl::Status status = Pause(kLookAtWriter); !status.ok()) return status;
  }
  return TakeWritten();
}

absl::Status LearnerLoop::TakeWritten() {
  const std::optional<CheckpointWriter::Outcome> outcome = writer_.TakeOutcome();
  if (!outcome.has_value()) return absl::OkStatus();
  storage_.NoteCheckpoint(outcome->written);
  if (outcome->written.ok() && outcome->recorded.ok()) saved_step_ = outcome->step;
  return outcome->recorded;
}

absl::Status LearnerLoop::SaveLast(const std::function<bool()>& stop) {
  const absl::Time deadline = waiting_.clock->Now() + options_.storage_patience;
  while (true) {
    const bool last = stop() || waiting_.clock->Now() >= deadline;
    if (absl::Status status = Save(); !status.ok()) return status;
    if (absl::Status status = AwaitWriter(); !status.ok()) return status;
    if (saved_step_ == step_) return AwaitStore();
    if (last) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the last checkpoint could not be saved: ", storage_.checkpoint_trouble()));
    }
    if (absl::Status status = storage_.Check(); !status.ok()) return status;
    if (absl::Status lost = session_.lost(); !lost.ok()) return lost;
    if (absl::Status status = Pause(options_.storage_pause); !status.ok()) return status;
  }
}

absl::Status LearnerLoop::AwaitStore() {
  if (options_.uploads == nullptr) return absl::OkStatus();
  const absl::Time deadline =
      waiting_.clock->Now() + absl::Seconds(options_.config.checkpoints().last_upload_seconds());
  while (true) {
    const bool pending = options_.uploads->pending().contains(step_);
    if (options_.uploads->Has(step_)) return absl::OkStatus();
    if (!pending || waiting_.clock->Now() >= deadline) {
      const std::string trouble = options_.uploads->trouble();
      return absl::UnavailableError(absl::StrCat(
          "the last checkpoint is saved in the run folder ", options_.run_dir,
          ", but not in the object store",
          trouble.empty() ? ": there was no time left (checkpoints.last_upload_seconds)" : ": ", trouble));
    }
    if (absl::Status lost = session_.lost(); !lost.ok()) return lost;  // its place cannot be recorded
    SetWaiting("the last checkpoint to be in the object store");
    if (absl::Status status = Pause(options_.storage_pause); !status.ok()) return status;
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
                       .samples = {assigned.samples().begin(), assigned.samples().end()},
                       .rank = ranks_.rank()};
}

absl::Status LearnerLoop::GiveUp(const std::map<const v1::AssignedGroup*, absl::Status>& groups) {
  v1::ReportLostGroupsRequest request;
  for (const auto& [group, why] : groups) {
    v1::LostGroup& lost = *request.add_groups();
    lost.set_ordinal(group->ordinal());
    lost.set_reason(absl::IsInvalidArgument(why) ? v1::RETIRE_UNTRAINABLE : v1::RETIRE_TRAJECTORY_LOST);
    lost.set_detail(std::string(why.message()));
    const LogGroup about(group->ordinal(), group->attempt());
    spdlog::warn("{}: {} (from {})", Word(lost.reason()), lost.detail(),
                 group->member_id().empty() ? "an unknown worker" : group->member_id());
    metrics_
        .Counter("lvrpo_learner_groups_given_up_total",
                 {{"reason", Word(lost.reason())}, {"member", group->member_id()}})
        .Increment();
    ++given_up_;
  }
  request.set_learner_epoch(team_.epoch.id());
  return session_.report_lost_groups(request).status();
}

absl::StatusOr<bool> LearnerLoop::Assign(Step& step) {
  const absl::Time begin = waiting_.clock->Now();
  v1::AssignStepRequest request;
  request.set_step(step_);
  request.set_learner_epoch(team_.epoch.id());
  absl::StatusOr<v1::AssignStepResponse> assignment = session_.assign_step(request);
  if (ErrorInfoOf(assignment.status()).reason() == v1::REFUSAL_NOT_STARTED) {
    if (!IsRankZero()) return false;  // which does that
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
  PausePoint("load");
  std::map<const v1::AssignedGroup*, absl::Status> unusable;
  for (const v1::AssignedGroup& assigned : step.assignment.groups()) {
    if (!IsOwn(assigned)) {
      step.groups.push_back(Outline(assigned));
      continue;
    }
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
  const absl::StatusOr<GrpoTrainer::StepResult> trained = UpdateWeights(step);
  if (absl::IsOutOfRange(trained.status())) {
    return absl::OutOfRangeError(
        absl::StrCat("training diverged: ", trained.status().message(), "; ", kDivergedAdvice));
  }
  if (!trained.ok()) return trained.status();
  if (!trained->unusable.empty()) {
    std::map<const v1::AssignedGroup*, absl::Status> unusable;
    for (const auto& [index, why] : trained->unusable) {
      const v1::AssignedGroup& assigned = step.assignment.groups(static_cast<int>(index));
      if (!IsOwn(assigned)) continue;  // all ranks hear of it, and its rank reports it
      unusable[&assigned] =
          absl::InvalidArgumentError(absl::StrCat("trajectories of ordinal ", assigned.ordinal(), ": ", why));
    }
    if (unusable.empty()) return false;
    if (absl::Status status = GiveUp(unusable); !status.ok()) return status;
    return false;
  }
  if (trainer_.nonfinite_in_a_row() >= options_.config.train().max_nonfinite_steps()) {
    return absl::OutOfRangeError(absl::StrCat("training diverged: ", trainer_.nonfinite_in_a_row(),
                                              " updates in a row were not finite (",
                                              trainer_.nonfinite_cause(), "); ", kDivergedAdvice));
  }
  step.figures = trained->metrics;
  const absl::StatusOr<double> given_up = GivenUpByAll();
  if (!given_up.ok()) return given_up.status();
  step.figures["groups_given_up"] = *given_up;
  if (const auto unique = step.figures.find("unique_noise");
      unique != step.figures.end() && unique->second < 1) {
    return absl::DataLossError(absl::StrCat(
        "only ", unique->second, " of the images of step ", step_,
        " have noise that no other has, so what they teach is wrong: a rollout worker is broken. The log "
        "names two of them; nothing of the step was committed"));
  }
  return true;
}

absl::StatusOr<bool> LearnerLoop::Publish(Step&) {
  PausePoint("publish");
  ++step_;
  if (IsRankZero() || !trainer_.sharded()) PublishWeights();
  if (absl::Status status = HearVersion(); !status.ok()) return status;
  return true;
}

absl::StatusOr<bool> LearnerLoop::Copy(Step&) {
  if (absl::Status status = keeper_->Keep({.step = step_, .digest = version().digest()}); !status.ok())
    return status;
  return true;
}

absl::StatusOr<bool> LearnerLoop::Commit(Step& step) {
  PausePoint("commit");
  absl::StatusOr<v1::CommitStepResponse> committed;
  if (IsRankZero()) committed = CommitRecords(step);
  committed = HearOf(std::move(committed));
  if (!committed.ok()) return committed.status();
  given_up_ = 0;
  for (const v1::AssignedGroup& group : step.assignment.groups()) {
    if (!IsOwn(group)) continue;
    const LogGroup about(group.ordinal(), group.attempt());
    spdlog::debug("trained on ordinal {} in step {}", group.ordinal(), step_ - 1);
  }
  step.last = committed->finished();
  spool_.RemoveBelow(committed->lowest_open_ordinal());
  return true;
}

absl::StatusOr<v1::CommitStepResponse> LearnerLoop::CommitRecords(Step& step) {
  step.figures["samples"] = static_cast<double>(step.groups.size()) * options_.config.rollout().group_size();
  for (const auto& [phase, seconds] : step.seconds) step.figures["seconds_" + phase] = seconds;
  v1::CommitStepRequest commit;
  commit.set_step(step_ - 1);
  for (const v1::AssignedGroup& group : step.assignment.groups()) commit.add_ordinals(group.ordinal());
  *commit.mutable_new_version() = version();
  *commit.mutable_metrics() = {step.figures.begin(), step.figures.end()};
  commit.set_learner_epoch(team_.epoch.id());
  return session_.commit_step(commit);
}

bool LearnerLoop::SaveIsDue(const Step& step) const {
  const int64_t every = options_.config.train().checkpoint_every();
  return step.last || (every > 0 && step_ % every == 0) ||
         (!storage_.checkpoint_trouble().empty() && !writer_.busy());
}

void LearnerLoop::Report(const Step& step) {
  for (const auto& [phase, seconds] : step.seconds) {
    metrics_.Seconds("lvrpo_learner_phase_seconds", {{"phase", phase}}).Observe(seconds);
  }
  for (const auto& [name, value] : step.figures) {
    if (absl::StartsWith(name, "seconds_")) continue;  // the phases, above
    metrics_.Gauge("lvrpo_learner_step_value", {{"name", name}}).Set(value);
  }
  const auto nonfinite = step.figures.find("nonfinite");
  if (nonfinite != step.figures.end())
    metrics_.Counter("lvrpo_learner_nonfinite_total").Increment(nonfinite->second);
  metrics_.Gauge("lvrpo_learner_spool_bytes").Set(static_cast<double>(spool_.bytes()));
  metrics_.Counter("lvrpo_learner_steps_total").Increment();
  metrics_.Counter("lvrpo_learner_samples_total")
      .Increment(static_cast<double>(OwnGroups(step)) * options_.config.rollout().group_size());
}

absl::StatusOr<StepAgreement::Verdict> LearnerLoop::Prepare(Step& step, const std::function<bool()>& stop) {
  StepAgreement::Word word = {.draining = session_.view().draining(), .stopping = stop()};
  if (word.draining || word.stopping) return ranks_.Agree(word);
  const absl::StatusOr<bool> assigned = Assign(step);
  if (!assigned.ok()) return assigned.status();
  if (!*assigned) return ranks_.Agree(word);
  Stopwatch watch(*waiting_.clock);
  const absl::StatusOr<bool> usable = LoadGroups(step);
  if (!usable.ok()) return usable.status();
  word.assigned = true;
  word.unusable = !*usable;
  word.assignment = FingerprintOf(step_, step.assignment);
  absl::StatusOr<StepAgreement::Verdict> verdict = ranks_.Agree(word);
  step.seconds["load"] = watch.Lap();
  return verdict;
}

absl::Status LearnerLoop::TakeStep(Step& step) {
  using Phase = absl::StatusOr<bool> (LearnerLoop::*)(Step&);
  static constexpr std::pair<const char*, Phase> kPhases[] = {{"update", &LearnerLoop::Train},
                                                              {"publish", &LearnerLoop::Publish},
                                                              {"copy", &LearnerLoop::Copy},
                                                              {"commit", &LearnerLoop::Commit}};
  Stopwatch watch(*waiting_.clock);
  for (const auto& [name, phase] : kPhases) {
    if (phase == &LearnerLoop::Copy && !keeper_.has_value()) continue;
    if (absl::StatusOr<bool> done = (this->*phase)(step); !done.ok() || !*done) return done.status();
    step.seconds[name] = watch.Lap();
  }
  if (const auto reward = step.figures.find("reward"); reward != step.figures.end())
    writer_.NoteReward(reward->second);
  if (absl::Status status = TakeWritten(); !status.ok()) return status;
  const absl::StatusOr<bool> saving = JoinSaving(IsRankZero() && SaveIsDue(step));
  if (!saving.ok()) return saving.status();
  if (IsRankZero() && *saving) {
    if (absl::Status status = Save(); !status.ok()) return status;
    step.seconds["checkpoint"] = watch.Lap();
  }
  if (absl::Status status = storage_.Check(); !status.ok()) return status;
  Report(step);
  return absl::OkStatus();
}

absl::Status LearnerLoop::TrainAll(const std::function<bool()>& stop) {
  using Verdict = StepAgreement::Verdict;
  while (step_ < options_.config.train().steps()) {
    if (absl::Status lost = session_.lost(); !lost.ok()) return lost;
    if (absl::Status over = CheckOwnEpoch(team_.epoch, session_.view().learner_epoch()); !over.ok())
      return over;
    Step step;
    const absl::StatusOr<Verdict> verdict = Prepare(step, stop);
    if (!verdict.ok()) return verdict.status();
    drained_ = *verdict == Verdict::kDrain;
    if (drained_ || *verdict == Verdict::kStop) break;
    if (*verdict == Verdict::kAskAgain) continue;
    if (absl::Status status = TakeStep(step); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status LearnerLoop::Run(const std::function<bool()>& stop) {
  if (absl::Status status = TrainAll(stop); !status.ok()) {
    writer_.NoteLost();
    (void)AwaitWriter();  // a checkpoint that is being written is worth having
    return status;
  }
  if (absl::Status status = End(stop); !status.ok()) return status;
  if (keeper_.has_value()) keeper_->Remove();  // the checkpoint has it all
  return absl::OkStatus();
}

}  // namespace lvrpo
