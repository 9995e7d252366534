#include "learner/step/gradient_sum.h"

#include <algorithm>

namespace lvrpo {
namespace {

// 1 for each parameter that has a gradient.
std::vector<double> Present(const TensorMap& parameters) {
  std::vector<double> present;
  for (const auto& [name, parameter] : parameters) present.push_back(parameter.grad().defined() ? 1 : 0);
  return present;
}

}  // namespace

torch::Tensor GradientSum::Flat() const {
  std::vector<torch::Tensor> parts;
  for (const auto& [name, parameter] : parameters_) {
    parts.push_back(parameter.grad().defined() ? parameter.grad().reshape(-1)
                                               : torch::zeros_like(parameter.detach()).reshape(-1));
  }
  return torch::cat(parts);
}

void GradientSum::Spread(const torch::Tensor& flat, const std::vector<double>& present) const {
  int64_t begin = 0;
  size_t place = 0;
  for (const auto& [name, parameter] : parameters_) {
    if (present[place++] > 0)
      parameter.mutable_grad() = flat.narrow(0, begin, parameter.numel()).view(parameter.sizes());
    begin += parameter.numel();
  }
}

void GradientSum::Contexts(GroupTask, const Compute& own) {
  if (own) own();
}

void GradientSum::Evaluate(GroupTask, const Compute& own) {
  if (own) own();
}

void GradientSum::Gradients(GroupTask, const Places& places, const Compute& own) {
  if (!own) return;
  own();
  Add(*places[static_cast<size_t>(ranks_.rank())]);
}

void GradientSum::Alone(GroupTask, int, const Compute& own) {
  Clear();
  if (own) own();
}

void GradientSum::Together(const Compute& work) {
  Clear();
  work();
}

void GradientSum::Clear() {
  groups_.clear();
  present_.clear();
  for (const auto& [name, parameter] : parameters_) parameter.mutable_grad().reset();
}

void GradientSum::Add(size_t place) {
  if (!ranks_.ordered()) return;
  const std::vector<double> present = Present(parameters_);
  present_.resize(present.size());
  std::transform(present.begin(), present.end(), present_.begin(), present_.begin(),
                 [](double a, double b) { return std::max(a, b); });
  groups_[place] = Flat();
  for (const auto& [name, parameter] : parameters_) parameter.mutable_grad().reset();
}

absl::Status GradientSum::Finish(const std::vector<int>& owners) {
  if (!ranks_.ordered() && ranks_.size() == 1) return absl::OkStatus();
  if (!ranks_.ordered()) present_ = Present(parameters_);
  present_.resize(parameters_.size());
  if (absl::Status status = ranks_.Max(present_); !status.ok()) return status;
  torch::Tensor sum;
  if (!ranks_.ordered()) {
    sum = Flat();
    if (absl::Status status = ranks_.Sum(sum); !status.ok()) return status;
  } else {
    int64_t count = 0;
    for (const auto& [name, parameter] : parameters_) count += parameter.numel();
    sum = torch::zeros({count}, parameters_.begin()->second.detach().options());
    for (size_t place = 0; place < owners.size(); ++place) {
      const auto own = groups_.find(place);
      torch::Tensor group = own == groups_.end() ? torch::empty_like(sum) : own->second;
      if (absl::Status status = ranks_.Broadcast(group, owners[place]); !status.ok()) return status;
      sum += group;
    }
  }
  Spread(sum, present_);
  return absl::OkStatus();
}

}  // namespace lvrpo
