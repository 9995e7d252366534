#include "model/layers/step_graph.h"

#ifdef LVRPO_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#endif

namespace lvrpo {

#ifdef LVRPO_CUDA

struct StepGraph::Recording {
  at::cuda::CUDAGraph graph;
  torch::Tensor x, t, out;  // where the graph reads and writes

  bool Fits(const torch::Tensor& other_x, const torch::Tensor& other_t) const {
    return x.sizes() == other_x.sizes() && t.sizes() == other_t.sizes() && x.dtype() == other_x.dtype();
  }
};

namespace {

constexpr int kWarmUps = 2;  // libraries choose their kernels and workspaces at first use

}  // namespace

torch::Tensor StepGraph::operator()(const torch::Tensor& x, const torch::Tensor& t) {
  const torch::NoGradGuard no_grad;
  if (!recordable_ || !x.is_cuda()) return step_(x, t);
  if (recording_ == nullptr || !recording_->Fits(x, t)) {
    recording_ = std::make_unique<Recording>();
    recording_->x = x.clone();
    recording_->t = t.clone();
    // A graph is captured on a side stream, never on the default one.
    c10::cuda::device_synchronize();
    {
      const c10::cuda::CUDAStreamGuard guard(c10::cuda::getStreamFromPool(false, x.device().index()));
      for (int i = 0; i < kWarmUps; ++i) (void)step_(recording_->x, recording_->t);
      recording_->graph.capture_begin();
      recording_->out = step_(recording_->x, recording_->t);
      recording_->graph.capture_end();
    }
    c10::cuda::device_synchronize();
  }
  recording_->x.copy_(x);
  recording_->t.copy_(t);
  recording_->graph.replay();
  return recording_->out.clone();
}

#else

struct StepGraph::Recording {};

torch::Tensor StepGraph::operator()(const torch::Tensor& x, const torch::Tensor& t) {
  const torch::NoGradGuard no_grad;
  return step_(x, t);
}

#endif

StepGraph::StepGraph(Step step, bool recordable) : step_(std::move(step)), recordable_(recordable) {}

StepGraph::~StepGraph() = default;

}  // namespace lvrpo
