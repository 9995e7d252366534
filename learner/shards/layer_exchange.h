#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "learner/shards/pass_plan.h"
#include "learner/shards/shard_gradients.h"
#include "learner/shards/shards.h"
#include "model/layers/layer_source.h"

namespace lvrpo {

// The layers of the policy and of the reference, gathered from the ranks' parts as decoders run, and their
// gradients on the way back.
//
// Ranks that compute groups do so by a plan, which all of them follow to its end: a rank that has no group,
// or whose group fails in the middle, gathers what the others gather and adds zeros. While a layer computes,
// the plan's next one is gathered already. Without a plan every rank must run the same passes.
//
// Not thread-safe.
class LayerExchange {
 public:
  // Both must outlive it. `layers`: of the decoder.
  LayerExchange(const Shards& shards, ShardGradients& gradients, int64_t layers);

  LayerSource& policy() { return policy_; }
  LayerSource& reference() { return reference_; }

  // Runs `own` (null: nothing), which makes exactly these passes. What it throws is thrown after the plan's
  // end; so are errors of the ranks.
  void Follow(const std::vector<DecoderRun>& runs, const std::function<void()>& own);

  // Since the beginning: for tests and figures.
  struct Counts {
    int64_t gathers = 0, scatters = 0;  // of units
  };
  const Counts& counts() const { return counts_; }

 private:
  using Model = DecoderRun::Model;
  class Source final : public LayerSource {
   public:
    Source(LayerExchange& exchange, Model model) : exchange_(exchange), model_(model) {}
    TensorMap Gather(int64_t layer, Halves halves) override;
    bool IsTrained(const std::string& name) const override;
    void AddGradients(int64_t layer, Halves halves, const TensorMap& gradients) override;

   private:
    LayerExchange& exchange_;
    const Model model_;
  };
  // Units on their way.
  struct Gathering {
    ShardOp op;
    std::vector<std::pair<size_t, Shards::Exchange>> units;
  };

  std::vector<size_t> UnitsOf(const ShardOp& op) const;
  Gathering Begin(const ShardOp& op);
  TensorMap Gather(const ShardOp& op);
  void Scatter(const ShardOp& op, const TensorMap& gradients);
  // The plan goes on by `op`, or there is none.
  void Advance(const ShardOp& op);
  void GatherAhead();
  void FinishPlan();

  const Shards& shards_;
  ShardGradients& gradients_;
  std::vector<std::vector<size_t>> units_;  // by layer
  std::set<std::string> trained_;           // names of tensors in layers
  Source policy_, reference_;
  std::vector<ShardOp> plan_;
  size_t next_ = 0;  // in the plan
  std::optional<Gathering> ahead_;
  Counts counts_;
};

}  // namespace lvrpo
