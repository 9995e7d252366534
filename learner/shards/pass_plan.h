#pragma once

#include <cstdint>
#include <vector>

#include "learner/step/objective.h"
#include "model/layers/layer_source.h"

// What a rank gathers and scatters while it computes a group: a constant of the model and the settings, so
// that a rank without a group, or with one that fails, can take part in what the others do.
namespace lvrpo {

// One run of a model's decoder over all of its layers, forward or backward.
struct DecoderRun {
  enum class Model { kPolicy, kReference } model = Model::kPolicy;
  Halves halves;
  bool backward = false;
};

// The runs of one group of a task: computing its contexts (MakeObjective), its old log-probs
// (GroupObjective::KeepOld) or its gradients (GroupObjective::Backward).
std::vector<DecoderRun> ContextRuns(GroupTask task, const ObjectiveSettings& settings);
std::vector<DecoderRun> EvaluationRuns(GroupTask task, const ObjectiveSettings& settings);
std::vector<DecoderRun> GradientRuns(GroupTask task, const ObjectiveSettings& settings);

// What ranks do together for one layer.
struct ShardOp {
  enum class Kind { kGather, kScatter } kind = Kind::kGather;
  DecoderRun::Model model = DecoderRun::Model::kPolicy;
  int64_t layer = 0;
  Halves halves;
  bool operator==(const ShardOp&) const = default;
};

// A forward gathers every layer once, a backward gathers and scatters each, the last one first.
std::vector<ShardOp> OpsOf(const std::vector<DecoderRun>& runs, int64_t layers);

}  // namespace lvrpo
