#include "learner/shards/shard_gradients.h"

namespace lvrpo {

void ShardGradients::AddTo(Sums& sums, size_t unit, const torch::Tensor& gradient) {
  torch::Tensor& sum = sums[unit];
  if (sum.defined()) {
    sum += gradient;
  } else {
    sum = gradient;
  }
}

void ShardGradients::Add(size_t unit, const TensorMap& gradients) {
  const torch::Tensor flat = shards_.Flatten(unit, gradients, shards_.devices().compute);
  const bool apart = ordered_ && !places_.empty();
  adding_.emplace(Adding{.unit = unit,
                         .places = apart ? places_ : GroupWork::Places(),
                         .exchange = apart ? shards_.GatherParts(flat) : shards_.ReduceScatter(flat)});
}

absl::Status ShardGradients::Wait() {
  if (!adding_.has_value()) return absl::OkStatus();
  const torch::NoGradGuard no_grad;
  Adding added = *std::exchange(adding_, std::nullopt);
  if (absl::Status status = added.exchange.Wait(); !status.ok()) return status;
  if (added.places.empty()) {
    AddTo(sums_, added.unit, added.exchange.result);
    return absl::OkStatus();
  }
  const std::vector<torch::Tensor> by_rank = added.exchange.result.chunk(shards_.ranks());
  for (size_t rank = 0; rank < by_rank.size(); ++rank) {
    const std::optional<size_t>& place = added.places[rank];
    if (place.has_value()) AddTo(groups_[*place], added.unit, shards_.OwnPart(by_rank[rank]).clone());
  }
  return absl::OkStatus();
}

absl::Status ShardGradients::Finish(size_t groups) {
  if (absl::Status status = Wait(); !status.ok()) return status;
  const torch::NoGradGuard no_grad;
  for (size_t place = 0; place < groups; ++place) {
    for (const auto& [unit, gradient] : groups_[place]) {
      if (!sums_[unit].defined()) sums_[unit] = torch::zeros_like(gradient);
      sums_[unit] += gradient;
    }
  }
  for (auto& [unit, sum] : sums_) {
    const torch::Tensor& part = shards_.part(unit);
    part.mutable_grad() = std::exchange(sum, torch::Tensor()).to(part.device());
  }
  Clear();
  return absl::OkStatus();
}

void ShardGradients::Clear() {
  adding_.reset();
  sums_.clear();
  groups_.clear();
}

}  // namespace lvrpo
