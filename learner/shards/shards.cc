#include "learner/shards/shards.h"

#include <algorithm>
#include <utility>

#include "learner/ranks/step_agreement.h"
#include "learner/step/step_ranks.h"

namespace lvrpo {
namespace {

int64_t Elements(const ShardUnit::Part& part) { return c10::multiply_integers(part.shape); }

}  // namespace

Shards::Shards(std::vector<ShardUnit> units, Collectives* collectives, const ShardDevices& devices)
    : units_(std::move(units)), collectives_(collectives), devices_(devices) {
  for (const ShardUnit& unit : units_) {
    const torch::TensorOptions options = unit.trained()
                                             ? torch::TensorOptions(torch::kFloat32).device(devices_.masters)
                                             : torch::TensorOptions(unit.dtype).device(devices_.compute);
    parts_.push_back(torch::zeros({unit.count / ranks()}, options));
  }
}

torch::Tensor Shards::OwnPart(const torch::Tensor& flat) const {
  const int64_t each = flat.size(0) / ranks();
  return flat.narrow(0, each * rank(), each);
}

void Shards::Fill(size_t i, const TensorMap& whole) {
  const torch::NoGradGuard no_grad;
  const ShardUnit& unit = units_[i];
  torch::Tensor& own = parts_[i];
  own.zero_();
  // Part by part: a whole buffer next to the tensors would double them.
  const int64_t begin = own.numel() * rank(), end = begin + own.numel();
  for (const ShardUnit::Part& part : unit.parts) {
    const int64_t first = std::max(begin, part.begin), last = std::min(end, part.begin + Elements(part));
    if (first >= last) continue;
    own.narrow(0, first - begin, last - first)
        .copy_(whole.at(part.tensor).reshape(-1).narrow(0, first - part.begin, last - first));
  }
}

torch::Tensor Shards::Flatten(size_t i, const TensorMap& tensors, torch::Device device) const {
  const torch::NoGradGuard no_grad;
  torch::Tensor flat = torch::zeros({units_[i].count}, device);
  for (const ShardUnit::Part& part : units_[i].parts) {
    const torch::Tensor tensor = FindTensor(tensors, part.tensor);
    if (tensor.defined()) flat.narrow(0, part.begin, tensor.numel()).copy_(tensor.reshape(-1));
  }
  return flat;
}

TensorMap Shards::Split(size_t i, const torch::Tensor& flat) const {
  TensorMap tensors;
  for (const ShardUnit::Part& part : units_[i].parts)
    tensors[part.tensor] = flat.narrow(0, part.begin, Elements(part)).view(part.shape);
  return tensors;
}

TensorMap Shards::Pieces(size_t i, const torch::Tensor& part, int of) const {
  TensorMap pieces;
  const int64_t begin = part.numel() * of, end = begin + part.numel();
  for (const ShardUnit::Part& tensor : units_[i].parts) {
    const int64_t first = std::max(begin, tensor.begin),
                  last = std::min(end, tensor.begin + Elements(tensor));
    if (first < last) pieces[tensor.tensor] = part.narrow(0, first - begin, last - first);
  }
  return pieces;
}

absl::Status Shards::Exchange::Wait() {
  if (pending == nullptr) return absl::OkStatus();
  const absl::Status status = pending->Wait();
  pending = nullptr;
  sent = torch::Tensor();
  return status.ok() ? status : RanksAreLost(status);
}

Shards::Exchange Shards::GatherParts(const torch::Tensor& part) const {
  if (collectives_ == nullptr) return {.sent = {}, .result = part, .pending = nullptr};
  Exchange exchange = {
      .sent = part, .result = torch::empty({part.numel() * ranks()}, part.options()), .pending = nullptr};
  exchange.pending = collectives_->AllGather(SpanOf(exchange.sent), SpanOf(exchange.result));
  return exchange;
}

Shards::Exchange Shards::Gather(size_t i) const {
  const torch::NoGradGuard no_grad;
  // Cast first: what crosses from one memory to the other is as small as it can be.
  return GatherParts(parts_[i].detach().to(units_[i].dtype).to(devices_.compute));
}

Shards::Exchange Shards::ReduceScatter(const torch::Tensor& flat) const {
  if (collectives_ == nullptr) return {.sent = {}, .result = flat, .pending = nullptr};
  Exchange exchange = {
      .sent = flat, .result = torch::empty({flat.numel() / ranks()}, flat.options()), .pending = nullptr};
  exchange.pending = collectives_->ReduceScatter(SpanOf(exchange.sent), SpanOf(exchange.result));
  return exchange;
}

}  // namespace lvrpo
