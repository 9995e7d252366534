// Where LearnerLoop begins: from copies of the newest step, a checkpoint, or the base weights.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "learner/copies/share_tensors.h"
#include "learner/copies/state_slices.h"
#include "learner/loop.h"
#include "model/weights/lora.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr char kCopies[] = "copies", kCheckpoint[] = "checkpoint", kBase[] = "base";

}  // namespace

absl::StatusOr<Checkpoint> LearnerLoop::Restore(const v1::CheckpointRecord& record) {
  absl::StatusOr<Checkpoint> checkpoint = writer_.Load(record);
  if (!checkpoint.ok()) return checkpoint.status();
  if (absl::Status status = trainer_.RestoreWeights(checkpoint->weights); !status.ok()) return status;
  if (absl::Status status = trainer_.RestoreOptimizers(checkpoint->optimizer); !status.ok()) return status;
  step_ = saved_step_ = checkpoint->step;
  PublishWeights();
  if (version().digest() != checkpoint->weights_digest) {
    return absl::DataLossError(absl::StrCat(record.path(), " holds other weights than its manifest says"));
  }
  return checkpoint;
}

absl::Status LearnerLoop::RestoreNewest(const std::vector<v1::CheckpointRecord>& checkpoints,
                                        v1::CheckpointRecord& from, Checkpoint& state) {
  absl::Status restored;
  if (checkpoints.empty()) PublishWeights();
  for (size_t i = 0; i < checkpoints.size(); ++i) {
    absl::StatusOr<Checkpoint> loaded = Restore(checkpoints[i]);
    const absl::Status status = loaded.status();
    restored = i == 0 || status.ok() ? status : restored;  // report the newest one's error
    if (status.ok()) from = checkpoints[i], state = *std::move(loaded);
    if (!absl::IsDataLoss(status) && !absl::IsNotFound(status)) break;
    spdlog::warn("{}; {}", std::string(status.message()),
                 i + 1 < checkpoints.size() ? "trying the checkpoint before it" : "there is none before it");
  }
  return restored;
}

absl::Status LearnerLoop::RestoreCheckpoint(const std::vector<v1::CheckpointRecord>& checkpoints) {
  v1::CheckpointRecord from;
  Checkpoint state;
  if (IsRankZero()) {
    if (absl::Status status = RestoreNewest(checkpoints, from, state); !status.ok()) return status;
  }
  if (absl::Status status = BeginAlike(from, state); !status.ok()) return status;
  if (!IsRankZero()) return absl::OkStatus();
  if (from.path().empty()) {
    NoteStart(kBase, "the base weights");
  } else {
    NoteStart(kCheckpoint, from.path());
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> LearnerLoop::RestoreCopies(const std::vector<v1::CheckpointRecord>& checkpoints) {
  const v1::LearnerConfig& config = options_.config.learner();
  if (config.step_copies().empty()) return false;
  keeper_.emplace(StepKeeper::Options{.folder = config.step_copies(),
                                      .run_id = team_.run_id,
                                      .config_digest = ConfigDigest(options_.config),
                                      .epoch = team_.epoch.id(),
                                      .sharded = config.sharded()},
                  trainer_, team_.collectives, metrics_);
  if (absl::Status status = keeper_->Open(); !status.ok()) return status;
  // What the records say: of a step that was published and not committed there may be copies, too.
  const absl::StatusOr<std::string> told = ranks_.Tell(session_.view().current_version().SerializeAsString());
  if (!told.ok()) return told.status();
  v1::PolicyVersion newest;
  if (!newest.ParseFromString(*told)) return absl::InternalError("rank 0's version cannot be read");
  if (newest.number() == 0) return false;
  const absl::StatusOr<bool> restored =
      keeper_->Restore({.step = newest.number(), .digest = newest.digest()});
  if (!restored.ok() || !*restored) return restored;
  step_ = newest.number();
  if (!checkpoints.empty()) saved_step_ = checkpoints.front().step();
  PublishWeights();
  if (IsRankZero()) NoteStart(kCopies, "copies of the newest step");
  return true;
}

absl::Status LearnerLoop::ShareState(const Checkpoint& checkpoint) {
  TensorMap state = FlatSlices(checkpoint.optimizer);
  state.merge(FlatSlices(checkpoint.weights, kWeightSlices));
  if (absl::Status status = ShareTensors(team_.collectives, /*root=*/0, state); !status.ok()) return status;
  if (IsRankZero()) return absl::OkStatus();
  const absl::StatusOr<TensorMap> whole = JoinSlices({std::move(state)}, ShapesOf(trainer_.trained()));
  if (!whole.ok()) return whole.status();
  const StateTensors tensors = SplitState(*whole);
  if (absl::Status status = trainer_.RestoreOptimizers(tensors.optimizers); !status.ok()) return status;
  return trainer_.RestoreWeights(tensors.weights);
}

absl::Status LearnerLoop::BeginAlike(v1::CheckpointRecord from, const Checkpoint& state) {
  if (ranks_.size() == 1) return absl::OkStatus();
  *from.mutable_version() = version();
  const absl::StatusOr<std::string> told = ranks_.Tell(from.SerializeAsString());
  if (!told.ok()) return told.status();
  if (!from.ParseFromString(*told)) return absl::InternalError("rank 0's checkpoint cannot be read");
  absl::Status status;
  if (!from.path().empty()) status = ShareState(state);
  if (!IsRankZero() && status.ok()) {
    step_ = saved_step_ = from.version().number();
    PublishWeights();
    if (version().digest() != from.version().digest()) {
      status = absl::DataLossError(absl::StrCat("rank ", ranks_.rank(), " has other weights after ", step_,
                                                " steps (", version().digest().substr(0, 12),
                                                ") than rank 0 (", from.version().digest().substr(0, 12),
                                                "): all ranks need the same model folders"));
    }
  }
  return ranks_.AgreeOn(status);
}

void LearnerLoop::NoteStart(const std::string& source, const std::string& words) {
  const int64_t again = std::max<int64_t>(session_.view().step() - step_, 0);
  if (step_ > 0 || again > 0)
    spdlog::info("going on from {} after {} steps; {} steps are trained again", words, step_, again);
  for (const char* known : {kCopies, kCheckpoint, kBase}) {
    metrics_.Gauge("lvrpo_learner_restored_from", {{"source", known}}).Set(source == known ? 1 : 0);
  }
  metrics_.Gauge("lvrpo_learner_steps_retrained").Set(static_cast<double>(again));
}

absl::Status LearnerLoop::Start(const std::vector<v1::CheckpointRecord>& checkpoints, Team team) {
  team_ = std::move(team);
  ranks_ = StepAgreement(team_.collectives);
  const absl::StatusOr<bool> copied = RestoreCopies(checkpoints);
  absl::Status restored = copied.status();
  if (restored.ok() && !*copied) restored = RestoreCheckpoint(checkpoints);
  spool_.RemoveBelow(session_.view().lowest_open_ordinal());
  if (restored.ok() && IsRankZero()) restored = StartTraining();
  if (restored.ok() && IsRankZero()) writer_.Begin(step_, checkpoints);
  if (restored.ok() && options_.config.learner().sharded()) restored = Shard();
  started_ = true;
  return restored;
}

}  // namespace lvrpo
