#include "learner/trainer.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/pause_point.h"
#include "common/thrown.h"
#include "learner/copies/state_slices.h"
#include "learner/shards/sharded_work.h"
#include "learner/step/gradient_sum.h"
#include "learner/step/health.h"
#include "learner/step/step_advantages.h"
#include "model/weights/moved.h"
#include "policy/contract.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

// Copies in fp32 and in the host's memory.
TensorMap HostMasters(const TensorMap& tensors) {
  TensorMap copies;
  for (const auto& [name, tensor] : tensors)
    copies[name] = tensor.detach().to(torch::kCPU, torch::kFloat32, /*non_blocking=*/false, /*copy=*/true);
  return copies;
}

double MeanAge(const std::vector<TrainingGroup>& groups, int64_t step_version) {
  double age = 0;
  for (const TrainingGroup& group : groups)
    age += static_cast<double>(step_version - group.trajectories.version.number());
  return age / static_cast<double>(groups.size());
}

}  // namespace

GrpoTrainer::GrpoTrainer(v1::RunConfig config, Bagel reference, Bagel policy, TensorMap image, TensorMap text,
                         ObjectiveSettings settings, AdvantageOptions advantages)
    : config_(std::move(config)),
      settings_(std::move(settings)),
      advantages_(std::move(advantages)),
      reference_(std::move(reference)),
      policy_(std::move(policy)),
      trained_(image),
      optimizers_({}, {}, config_.train()) {
  trained_.insert(text.begin(), text.end());
  if (config_.learner().sharded()) {
    uncut_ = {.image = std::move(image), .text = std::move(text), .state = {}};
  } else {
    optimizers_ = TaskOptimizers(std::move(image), std::move(text), config_.train());
  }
}

absl::StatusOr<std::unique_ptr<GrpoTrainer>> GrpoTrainer::Create(const v1::RunConfig& config, Bagel base) {
  const absl::StatusOr<TrainedTensors> selected = SelectTrainedTensors(config, base);
  if (!selected.ok()) return selected.status();
  TensorMap image = selected->image, text = selected->text;
  absl::StatusOr<Bagel> policy = base;
  if (!config.learner().sharded()) {
    image = CloneTensors(image), text = CloneTensors(text);
    TensorMap trained = image;
    trained.insert(text.begin(), text.end());
    policy = base.WithTensors(trained, "the policy");
    if (!policy.ok()) return policy.status();
  }
  absl::StatusOr<Bagel> reference =
      Bagel::Create(base.config(), WithoutLora(base.tensors()), "the reference");
  if (!reference.ok()) return reference.status();
  absl::StatusOr<ObjectiveSettings> settings = ObjectiveSettingsOf(config);
  if (!settings.ok()) return settings.status();
  absl::StatusOr<AdvantageOptions> advantages = AdvantageOptionsOf(config.train());
  if (!advantages.ok()) return advantages.status();
  return std::unique_ptr<GrpoTrainer>(new GrpoTrainer(config, *std::move(reference), *std::move(policy),
                                                      std::move(image), std::move(text), *std::move(settings),
                                                      *std::move(advantages)));
}

std::unique_ptr<GroupWork> GrpoTrainer::MakeWork(const StepRanks& ranks) {
  if (sharded()) return std::make_unique<ShardedWork>(*sharded_, settings_);
  return std::make_unique<GradientSum>(trained_, ranks);
}

absl::StatusOr<GrpoTrainer::StepResult> GrpoTrainer::Step(const std::vector<TrainingGroup>& groups,
                                                          int64_t step_version, const StepRanks& ranks) {
  if (absl::Status status = CheckSummaries(groups, config_.rollout().group_size()); !status.ok())
    return status;
  if (awaits_shard()) return absl::FailedPreconditionError("the ranks of a sharded learner have not met");
  whole_optimizers_.clear();
  StepResult result;
  const std::unique_ptr<GroupWork> work = MakeWork(ranks);
  StepGroups step(groups, models(), settings_, step_version, ranks, *work);
  Round round(ranks, *work, step);
  round.sums.clip_by_step.resize(static_cast<size_t>(config_.rollout().timesteps()));
  absl::StatusOr<UnusableGroups> unusable = Failed(round, step.prefilled());
  if (unusable.ok() && unusable->empty() && settings_.mini_batches > 1)
    unusable = Failed(round, step.KeepOld(round.sums));
  if (!unusable.ok()) return unusable.status();
  result.unusable = *std::move(unusable);
  if (!result.unusable.empty()) return result;
  if (absl::Status status = step.ShareTerms(ranks); !status.ok()) return status;
  step.SetAdvantages(groups, advantages_, config_.reward(), step_version, round.sums);

  ExpertLoad load;
  unusable = TakeUpdates(round);
  if (!unusable.ok()) return unusable.status();
  result.unusable = *std::move(unusable);
  if (!result.unusable.empty()) return result;
  const absl::StatusOr<double> weights = SumOfWeights(ranks);
  if (!weights.ok()) return weights.status();
  if (!std::isfinite(*weights)) {
    const absl::StatusOr<std::string> which = NonFinite(ranks, "weights", NameNonFinite(trained_));
    if (!which.ok()) return which.status();
    return absl::OutOfRangeError(absl::StrCat("an update left weights that are not finite: ", *which));
  }
  AddUniqueNoise(round.sums);
  if (absl::Status status = AddOverRanks(ranks, round.sums); !status.ok()) return status;

  result.metrics = StepFigures(round.sums, step.has_images(), step.has_texts());
  result.metrics.merge(round.figures);
  result.metrics["staleness"] = MeanAge(groups, step_version);
  if (config_.train().updates_per_step() > 1 || settings_.mini_batches > 1)
    result.metrics["ratio_deviation_later_updates"] = round.sums.ratio_deviation_late;
  if (policy_.config().router.top_k) {
    if (absl::Status status = AddOverRanks(ranks, policy_.config(), load); !status.ok()) return status;
    result.metrics.merge(ExpertFigures(load));
  }
  return result;
}

absl::StatusOr<UnusableGroups> GrpoTrainer::Failed(Round& round, const std::vector<absl::Status>& found) {
  absl::Status any;
  for (const absl::Status& status : found) any.Update(status);
  if (absl::Status status = ShareStatus(round.ranks, any); !status.ok()) return status;
  if (any.ok()) return UnusableGroups();
  absl::StatusOr<UnusableGroups> unusable = Unusable(round, any, found);
  // With no group at fault the policy is, and what it cannot compute is no step to skip.
  if (unusable.ok() && unusable->empty())
    return absl::OutOfRangeError("the policy cannot compute the contexts of prompts");
  return unusable;
}

absl::StatusOr<UnusableGroups> GrpoTrainer::TakeUpdates(Round& round) {
  const int parts = settings_.mini_batches, updates = config_.train().updates_per_step() * parts;
  TensorMap weights, optimizers;  // before the step; only a later update has something to take back
  if (updates > 1) weights = CloneTensors(trained_), optimizers = optimizers_.State();
  for (int update = 0; update < updates; ++update) {
    if (round.groups.IsEmpty(update % parts)) continue;
    absl::StatusOr<UnusableGroups> unusable = TakeUpdate(round, update % parts, update == 0);
    if (unusable.ok() && !unusable->empty() && update > 0) {
      if (absl::Status status = RestoreWeights(weights); !status.ok()) return status;
      if (absl::Status status = RestoreOptimizers(optimizers); !status.ok()) return status;
      if (absl::Status status = Refresh(); !status.ok()) return status;
    }
    if (!unusable.ok() || !unusable->empty()) return unusable;
  }
  return UnusableGroups();
}

absl::StatusOr<UnusableGroups> GrpoTrainer::TakeUpdate(Round& round, int mini_batch, bool first) {
  absl::Status together;
  if (absl::Status status = SumGradients(round, mini_batch, first, together); !status.ok()) return status;
  if (together.ok() && optimizers_.GradientsAreFinite()) {
    PausePoint("optimizer");
    optimizers_.Step(round.figures);
    if (absl::Status status = Refresh(); !status.ok()) return status;
    return UnusableGroups();
  }
  const absl::StatusOr<std::string> cause =
      together.ok() ? NonFinite(round.ranks, "gradients", optimizers_.NonFiniteGradients())
                    : std::string(together.message());
  if (!cause.ok()) return cause.status();
  absl::StatusOr<UnusableGroups> unusable =
      Unusable(round, together, round.groups.TryAlone(first, optimizers_));
  if (unusable.ok() && unusable->empty()) {
    optimizers_.Skip(round.figures);
    nonfinite_cause_ = *cause;
    spdlog::warn("an update is left out, because it is not finite: {}", nonfinite_cause_);
  }
  return unusable;
}

absl::StatusOr<std::string> GrpoTrainer::NonFinite(const StepRanks& ranks, const char* what,
                                                   const std::string& own) const {
  absl::Status found =
      own.empty() ? absl::OkStatus() : absl::OutOfRangeError(absl::StrCat(what, " of ", own));
  if (absl::Status status = ShareStatus(ranks, found); !status.ok()) return status;
  return std::string(found.message());
}

absl::Status GrpoTrainer::SumGradients(Round& round, int mini_batch, bool first, absl::Status& together) {
  optimizers_.ClearGradients();
  round.work.Clear();
  together = TryToRun([&] { round.groups.Backward(mini_batch, first, round.sums); });
  if (absl::Status status = ShareStatus(round.ranks, together); !status.ok() || !together.ok()) return status;
  absl::Status summed;
  together = TryToRun([&] { summed = round.groups.FinishGradients(mini_batch); });
  return summed;
}

absl::StatusOr<UnusableGroups> GrpoTrainer::Unusable(Round& round, const absl::Status& together,
                                                     std::vector<absl::Status> alone) {
  const absl::StatusOr<double> weights = SumOfWeights(round.ranks);
  if (!weights.ok()) return weights.status();
  absl::Status policy = ProbePolicy(models(), settings_, config_, *weights, round.work, optimizers_);
  if (absl::Status status = ShareStatuses(round.ranks, alone); !status.ok()) return status;
  if (absl::Status status = ShareStatus(round.ranks, policy); !status.ok()) return status;
  return FindUnusable(together, alone, policy);
}

absl::StatusOr<double> GrpoTrainer::SumOfWeights(const StepRanks& ranks) const {
  double sum[] = {SumOf(trained_)};
  const absl::Status status = sharded() ? ranks.Sum(sum) : CheckAlike(ranks, sum[0], "weights");
  if (!status.ok()) return status;
  return sum[0];
}

void GrpoTrainer::Shard(Collectives* collectives, bool ordered) {
  TORCH_CHECK(awaits_shard(), "the run is not sharded, or its trainer is already");
  const ShardedModels::Whole whole = {
      .policy = policy_,
      .reference = reference_,
      .image = uncut_.image,
      .text = uncut_.text,
      .reference_differs = settings_.image.kl_beta > 0 || settings_.text.beta > 0};
  const torch::Device masters = config_.learner().offload() ? torch::kCPU : policy_.device();
  sharded_ = std::make_unique<ShardedModels>(whole, collectives, ordered, masters);
  policy_ = sharded_->policy();
  reference_ = sharded_->reference();
  TensorMap image = sharded_->Parameters(ShardOwner::kImage), text = sharded_->Parameters(ShardOwner::kText);
  whole_ = collectives == nullptr || collectives->rank() == 0 ? HostMasters(trained_) : TensorMap();
  trained_ = image;
  trained_.insert(text.begin(), text.end());
  const StepRanks ranks = collectives == nullptr ? StepRanks::Alone() : StepRanks(*collectives, ordered);
  optimizers_ = TaskOptimizers(std::move(image), std::move(text), config_.train(),
                               [ranks](std::span<double> values) { SumInRankOrder(ranks, values); });
  const Uncut uncut = std::exchange(uncut_, {});
  if (uncut.state.empty()) return;
  const absl::Status restored = optimizers_.Restore(sharded_->PartsOfState(uncut.state));
  TORCH_CHECK(restored.ok(), std::string(restored.message()));
}

absl::Status GrpoTrainer::Refresh() {
  if (!sharded()) return absl::OkStatus();
  if (absl::Status status = sharded_->RefreshRest(); !status.ok()) return status;
  absl::StatusOr<TensorMap> whole = sharded_->Gather(trained_);
  if (!whole.ok()) return whole.status();
  whole_ = *std::move(whole);
  return absl::OkStatus();
}

absl::Status GrpoTrainer::GatherOptimizers() {
  if (!sharded()) return absl::OkStatus();
  absl::StatusOr<TensorMap> state = sharded_->GatherState(optimizers_.State());
  if (!state.ok()) return state.status();
  whole_optimizers_ = *std::move(state);
  return absl::OkStatus();
}

TensorMap GrpoTrainer::NamedState() const {
  TensorMap state = optimizers_.StateViews();
  for (const auto& [name, tensor] : trained_) state[kWeightSlices + name] = tensor.detach();
  return state;
}

TensorMap GrpoTrainer::StatePieces() const {
  TensorMap pieces = sharded() ? sharded_->PiecesOfState(NamedState()) : FlatSlices(NamedState());
  for (auto& [name, piece] : pieces) piece = piece.detach().to(torch::kCPU);  // what is there is shared
  return pieces;
}

absl::StatusOr<std::map<int, TensorMap>> GrpoTrainer::GatherStatePieces(const std::vector<int>& of) const {
  if (!sharded()) return absl::FailedPreconditionError("ranks that are not sharded have all of the state");
  return sharded_->GatherPieces(NamedState(), of);
}

absl::StatusOr<SelfTestResult> GrpoTrainer::SelfTest() const {
  return TestOwnLogProbs(models(), settings_, config_, UsesImages(config_), UsesText(config_));
}

absl::Status GrpoTrainer::RestoreOptimizers(const TensorMap& state) {
  if (!awaits_shard()) return optimizers_.Restore(state);
  const ShapeMap expected = TaskOptimizers::StateShapes(uncut_.image, uncut_.text);
  if (absl::Status status = CheckTensors(expected, state, "optimizer state"); !status.ok()) return status;
  uncut_.state = state;
  return absl::OkStatus();
}

absl::Status GrpoTrainer::RestoreWeights(const TensorMap& weights) {
  if (absl::Status status = CheckTensors(ShapesOf(trained_), weights, "the checkpoint"); !status.ok())
    return status;
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : trained_) {
    if (awaits_shard()) {
      (uncut_.image.contains(name) ? uncut_.image : uncut_.text)[name] = tensor = weights.at(name);
    } else {
      tensor.copy_(weights.at(name));
    }
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
