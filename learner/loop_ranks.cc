// What LearnerLoop does with several ranks: rank 0 decides, and the others follow.

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/folder_token.h"
#include "common/thrown.h"
#include "learner/loop.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

// What rank 0 says: it saves a checkpoint; it is still busy with the last one.
constexpr char kSave[] = "save", kWait[] = "wait";

}  // namespace

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

absl::Status LearnerLoop::HearVersion() {
  if (!trainer_.sharded() || ranks_.size() == 1) return absl::OkStatus();
  const absl::StatusOr<std::string> told = ranks_.Tell(version().digest());
  if (!told.ok() || IsRankZero()) return told.status();
  absl::MutexLock lock(&mutex_);
  version_.set_number(step_);
  version_.set_digest(*told);
  return absl::OkStatus();
}

absl::Status LearnerLoop::Shard() {
  const absl::Status sharded = ranks_.AgreeOn(
      TryToRun([this] { trainer_.Shard(team_.collectives, options_.config.learner().ordered_sums()); }));
  if (!sharded.ok() || ranks_.size() == 1) return sharded;
  const absl::StatusOr<std::string> token = FolderToken(options_.run_dir);
  const absl::StatusOr<std::vector<std::string>> all =
      ranks_.Gather(token.ok() ? *token : absl::StrCat("none of rank ", ranks_.rank()));
  if (!all.ok()) return all.status();
  writes_parts_ = std::set<std::string>(all->begin(), all->end()).size() == 1;
  if (!writes_parts_ && IsRankZero()) {
    spdlog::warn(
        "the ranks do not see one run folder: rank 0 gathers and writes all of a checkpoint, and needs 12 "
        "bytes of memory for each trained parameter");
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> LearnerLoop::JoinSaving(bool saving) {
  if (!trainer_.sharded()) return saving;
  const absl::StatusOr<std::string> told = ranks_.Tell(saving ? kSave : "");
  if (!told.ok() || *told != kSave) return told.ok() ? absl::StatusOr<bool>(false) : told.status();
  if (absl::Status status = TakePart(); !status.ok()) return status;
  return true;
}

absl::Status LearnerLoop::TakePart() {
  if (!writes_parts_) return trainer_.GatherOptimizers();
  return IsRankZero() ? absl::OkStatus() : Save();
}

absl::Status LearnerLoop::Pause(absl::Duration duration) {
  waiting_.sleep(duration);
  return ending_ ? ranks_.Tell(kWait).status() : absl::OkStatus();
}

absl::Status LearnerLoop::End(const std::function<bool()>& stop) {
  while (!IsRankZero()) {
    const absl::StatusOr<std::string> told = ranks_.Tell("");
    if (!told.ok()) return told.status();
    if (*told == kSave) {
      if (absl::Status status = TakePart(); !status.ok()) return status;
    } else if (*told != kWait) {
      return ranks_.AgreeOn(absl::OkStatus());
    }
  }
  ending_ = true;
  const absl::Status saved = SaveLast(stop);
  const absl::Status told = ranks_.Tell("").status();
  return saved.ok() && !told.ok() ? told : ranks_.AgreeOn(saved);
}

}  // namespace lvrpo
