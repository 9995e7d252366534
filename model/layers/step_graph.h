#pragma once

#include <functional>
#include <memory>

#include "torch/torch.h"

namespace lvrpo {

// A step that is taken many times on tensors of the same shapes, such as one denoising call. On a CUDA device
// it is recorded as a CUDA graph the first time and replayed from then on, so that its hundreds of small
// kernels cost one launch; everywhere else, and in builds without LVRPO_CUDA, it is simply called.
//
// To be recorded a step must be the same work every time: no copies between host and device, no choice that
// depends on values, and all else that it reads must stay where it is. No gradients. Not thread-safe.
class StepGraph {
 public:
  using Step = std::function<torch::Tensor(const torch::Tensor& x, const torch::Tensor& t)>;

  // `recordable`: false where the step is not the same work every time.
  StepGraph(Step step, bool recordable);
  ~StepGraph();
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;

  // step(x, t), in memory of its own.
  torch::Tensor operator()(const torch::Tensor& x, const torch::Tensor& t);

 private:
  struct Recording;

  const Step step_;
  const bool recordable_;
  std::unique_ptr<Recording> recording_;  // null: nothing is recorded yet
};

}  // namespace lvrpo
