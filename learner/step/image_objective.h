#pragma once

#include <functional>
#include <vector>

#include "learner/step/objective.h"

namespace lvrpo {

// Images: each SDE step of the window is an action.
class ImageObjective final : public GroupObjective {
 public:
  ImageObjective(const ImageGroup& group, const std::vector<int32_t>& prompt_ids, const Policies& models,
                 const ObjectiveSettings& settings, bool current);
  double terms() const override;
  void KeepOld(StepSums& sums) override;
  void Backward(const torch::Tensor& advantages, bool first, double step_terms, StepSums& sums) override;

 private:
  // Window step `step` of images begin .. begin + count - 1: what is evaluated in one forward.
  struct Part {
    int64_t begin, count;
    int step;
    torch::Tensor Of(const torch::Tensor& values) const {
      return values.narrow(0, begin, count);
    }  // [count, ..]
    torch::Tensor At(const torch::Tensor& values) const { return Of(values).select(1, step); }
  };
  // Calls `compute` for every part, one image micro-batch after the other.
  void ForEachPart(const std::function<void(const Part&)>& compute) const;
  // The policy's velocity in the group's context.
  VelocityFunction Velocity() const;
  void MakeRoomForOld();
  // Keeps the old log-probs, and compares them with the sampler's; and the noise of the first window step,
  // times its standard deviation.
  void KeepOld(const Part& part, const WindowStep& evaluated, StepSums& sums);
  void KeepNoise(const Part& part, const WindowStep& evaluated);
  ImageLossInput Input(const Part& part, const WindowStep& evaluated,
                       const VelocityFunction& reference) const;

  ImageGroup group_;  // its tensors on the policy's device
  const Policies models_;
  const ObjectiveSettings& settings_;
  const bool current_;
  KvCache context_, reference_context_;
  torch::Tensor old_;        // [G, k] float64, before the first update
  torch::Tensor noise_;      // [G, N * D]
  torch::Tensor old_means_;  // [G, k, N, D], of the steps before the first update; not for ppo
};

}  // namespace lvrpo
