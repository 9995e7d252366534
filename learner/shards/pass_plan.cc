#include "learner/shards/pass_plan.h"

namespace lvrpo {
namespace {

using Model = DecoderRun::Model;

constexpr Halves kUnd = {.und = true, .gen = false};
constexpr Halves kBoth = {.und = true, .gen = true};  // latents, between the tokens of their start and end

// A question's image, its text, and the response (Bagel::PrefillQuestion, Bagel::ResponseLogProbs).
constexpr int kTextRuns = 3;

// Of the images of a group.
int64_t WindowForwards(const ObjectiveSettings& settings) {
  const int64_t size = settings.group_size, micro = settings.micro_batch > 0 ? settings.micro_batch : size;
  return (size + micro - 1) / micro * settings.window_size;
}

}  // namespace

std::vector<DecoderRun> ContextRuns(GroupTask task, const ObjectiveSettings& settings) {
  if (task == GroupTask::kImage) {
    std::vector<DecoderRun> runs = {{Model::kPolicy, kUnd}};
    if (settings.image.kl_beta > 0) runs.push_back({Model::kReference, kUnd});
    return runs;
  }
  if (settings.text.beta <= 0) return {};
  return std::vector<DecoderRun>(kTextRuns, {Model::kReference, kUnd});
}

std::vector<DecoderRun> EvaluationRuns(GroupTask task, const ObjectiveSettings& settings) {
  if (task == GroupTask::kText) return std::vector<DecoderRun>(kTextRuns, {Model::kPolicy, kUnd});
  return std::vector<DecoderRun>(static_cast<size_t>(WindowForwards(settings)), {Model::kPolicy, kBoth});
}

std::vector<DecoderRun> GradientRuns(GroupTask task, const ObjectiveSettings& settings) {
  std::vector<DecoderRun> runs;
  if (task == GroupTask::kImage) {
    for (int64_t i = 0; i < WindowForwards(settings); ++i) {
      runs.push_back({Model::kPolicy, kBoth});
      if (settings.image.kl_beta > 0) runs.push_back({Model::kReference, kBoth});
      runs.push_back({Model::kPolicy, kBoth, /*backward=*/true});
    }
    return runs;
  }
  runs.assign(kTextRuns, {Model::kPolicy, kUnd});
  runs.insert(runs.end(), kTextRuns, {Model::kPolicy, kUnd, /*backward=*/true});
  return runs;
}

std::vector<ShardOp> OpsOf(const std::vector<DecoderRun>& runs, int64_t layers) {
  using Kind = ShardOp::Kind;
  std::vector<ShardOp> ops;
  for (const DecoderRun& run : runs) {
    for (int64_t i = 0; i < layers; ++i) {
      const int64_t layer = run.backward ? layers - 1 - i : i;
      ops.push_back({Kind::kGather, run.model, layer, run.halves});
      if (run.backward) ops.push_back({Kind::kScatter, run.model, layer, run.halves});
    }
  }
  return ops;
}

}  // namespace lvrpo
