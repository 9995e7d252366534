#pragma once

#include <vector>

#include "learner/step/objective.h"

namespace lvrpo {

// Answers: each response token is an action. Responses are padded to the longest of the group.
class TextObjective final : public GroupObjective {
 public:
  TextObjective(const TextGroup& group, const std::vector<int32_t>& prompt_ids, const Policies& models,
                const ObjectiveSettings& settings, bool current);
  double terms() const override;
  void KeepOld(StepSums& sums) override;
  void Backward(const torch::Tensor& advantages, bool first, double step_terms, StepSums& sums) override;

  // log p of every response token under `model`, [G, T]; of padding too.
  torch::Tensor LogProbs(const Bagel& model) const;
  const torch::Tensor& log_probs() const { return log_probs_; }
  const torch::Tensor& mask() const { return mask_; }

 private:
  // Keeps log-probs as the old ones, and compares them with the sampler's.
  void KeepOld(const torch::Tensor& log_probs, StepSums& sums);

  const Policies models_;
  const ObjectiveSettings& settings_;
  const bool current_;
  const std::vector<int32_t> prompt_ids_;
  torch::Tensor pixels_;     // [1, 3, H, W], in the host's memory; the others are on the policy's device
  torch::Tensor responses_;  // int64 [G, T], padded with eos
  torch::Tensor mask_;       // float64 [G, T], 1 = token of the response
  torch::Tensor log_probs_;  // float64 [G, T], the sampler's
  torch::Tensor old_;        // [G, T], before the first update
  torch::Tensor reference_;  // [G, T]; with a KL term
};

}  // namespace lvrpo
