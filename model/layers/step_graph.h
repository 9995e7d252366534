#pragma once

#include <functional>
#include <memory>

#include "torch/torch.h"

namespace lvrpo {

// A function called many times on tensors of the same shapes, such as a denoising step. On a CUDA device it
// is captured as a CUDA graph at the first call and replayed from then on, so that its hundreds of small
// kernels cost one launch; everywhere else, and in builds without LVRPO_CUDA, it is simply called.
//
// A capturable step does the same work every time: no copies between host and device, no branches on values,
// and everything else that it reads keeps its address. No gradients. Not thread-safe.
class StepGraph {
 public:
  using Step = std::function<torch::Tensor(const torch::Tensor& x, const torch::Tensor& t)>;

  // `recordable`: false where the step cannot be captured.
  StepGraph(Step step, bool recordable);
  ~StepGraph();
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;

  // step(x, t), in a new tensor.
  torch::Tensor operator()(const torch::Tensor& x, const torch::Tensor& t);

 private:
  struct Recording;

  const Step step_;
  const bool recordable_;
  std::unique_ptr<Recording> recording_;  // null: nothing is recorded yet
};

}  // namespace lvrpo
