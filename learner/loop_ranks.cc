// What LearnerLoop does with several ranks: rank 0 decides, and the others follow.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/thrown.h"
#include "learner/loop.h"

namespace lvrpo {
namespace {

// What rank 0 says: it saves a checkpoint; it is still busy with the last one.
constexpr char kSave[] = "save", kWait[] = "wait";

}  // namespace

absl::Status LearnerLoop::BeginAlike(v1::CheckpointRecord from) {
  if (ranks_.size() == 1) return absl::OkStatus();
  *from.mutable_version() = version();
  const absl::StatusOr<std::string> told = ranks_.Tell(from.SerializeAsString());
  if (!told.ok()) return told.status();
  if (!from.ParseFromString(*told)) return absl::InternalError("rank 0's checkpoint cannot be read");
  absl::Status status;
  if (!IsRankZero()) {
    if (from.path().empty()) {
      PublishWeights();
    } else {
      status = Restore(from);
    }
    if (status.ok() && version().digest() != from.version().digest()) {
      status = absl::DataLossError(absl::StrCat("rank ", ranks_.rank(), " has other weights after ", step_,
                                                " steps (", version().digest().substr(0, 12),
                                                ") than rank 0 (", from.version().digest().substr(0, 12),
                                                "): all ranks need the same model folders"));
    }
  }
  return ranks_.AgreeOn(status);
}

TrainingGroup LearnerLoop::Outline(const v1::AssignedGroup& assigned) const {
  return {.trajectories = team_.outline(assigned),
          .samples = {assigned.samples().begin(), assigned.samples().end()},
          .rank = assigned.rank()};
}

int64_t LearnerLoop::OwnGroups(const Step& step) const {
  return std::count_if(step.assignment.groups().begin(), step.assignment.groups().end(),
                       [this](const v1::AssignedGroup& group) { return IsOwn(group); });
}

absl::StatusOr<double> LearnerLoop::GivenUpByAll() const {
  double sum[] = {static_cast<double>(given_up_)};
  if (team_.collectives == nullptr) return sum[0];
  if (absl::Status status = StepRanks(*team_.collectives, /*ordered=*/false).Sum(sum); !status.ok())
    return status;
  return sum[0];
}

absl::StatusOr<GrpoTrainer::StepResult> LearnerLoop::UpdateWeights(const Step& step) {
  const bool ordered = options_.config.learner().ordered_sums();
  return trainer_.Step(
      step.groups, step_,
      team_.collectives == nullptr ? StepRanks::Alone(ordered) : StepRanks(*team_.collectives, ordered));
}

absl::StatusOr<v1::CommitStepResponse> LearnerLoop::HearOf(absl::StatusOr<v1::CommitStepResponse> committed) {
  if (IsRankZero() && !committed.ok()) return committed;  // the others see that it has left
  const absl::StatusOr<std::string> told = ranks_.Tell(IsRankZero() ? committed->SerializeAsString() : "");
  if (!told.ok()) return told.status();
  v1::CommitStepResponse heard;
  if (!heard.ParseFromString(*told)) return absl::InternalError("rank 0's commit cannot be read");
  return heard;
}

absl::Status LearnerLoop::Shard() {
  return ranks_.AgreeOn(
      TryToRun([this] { trainer_.Shard(team_.collectives, options_.config.learner().ordered_sums()); }));
}

absl::StatusOr<bool> LearnerLoop::GatherForCheckpoint(bool saving) {
  if (!trainer_.sharded()) return saving;
  const absl::StatusOr<std::string> told = ranks_.Tell(saving ? kSave : "");
  if (!told.ok() || *told != kSave) return told.ok() ? absl::StatusOr<bool>(false) : told.status();
  if (absl::Status status = trainer_.GatherOptimizers(); !status.ok()) return status;
  return true;
}

absl::Status LearnerLoop::Pause(absl::Duration duration) {
  waiting_.sleep(duration);
  return ending_ ? ranks_.Tell(kWait).status() : absl::OkStatus();
}

absl::Status LearnerLoop::End(const std::function<bool()>& stop) {
  const absl::StatusOr<bool> saving = GatherForCheckpoint(IsRankZero() && saved_step_ != step_);
  if (!saving.ok()) return saving.status();
  if (!IsRankZero()) {
    absl::StatusOr<std::string> told;
    do {
      told = ranks_.Tell("");
    } while (told.ok() && *told == kWait);
    return told.ok() ? ranks_.AgreeOn(absl::OkStatus()) : told.status();
  }
  ending_ = true;
  const absl::Status saved = SaveLast(stop);
  const absl::Status told = ranks_.Tell("").status();
  return saved.ok() && !told.ok() ? told : ranks_.AgreeOn(saved);
}

}  // namespace lvrpo
