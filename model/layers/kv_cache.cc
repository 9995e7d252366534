#include "model/layers/kv_cache.h"

#include <algorithm>

namespace lvrpo {

KvCache KvCache::Stack(const std::vector<KvCache>& caches) {
  KvCache stacked;
  int64_t longest = 0;
  size_t layers = 0;
  torch::TensorOptions options;
  std::vector<int64_t> shape;
  std::vector<torch::Tensor> positions;
  for (const KvCache& cache : caches) {
    longest = std::max(longest, cache.length());
    if (!cache.keys.empty()) {
      layers = cache.keys.size();
      options = cache.keys[0].options();
      shape = cache.keys[0].sizes().vec();
    }
    positions.push_back(cache.next_position.defined() ? cache.next_position
                                                      : torch::zeros({1}, torch::kInt64));
  }
  stacked.next_position = torch::cat(positions);
  if (longest == 0) return stacked;
  const int64_t batch = static_cast<int64_t>(caches.size());
  stacked.valid = torch::zeros({batch, longest}, torch::kBool);
  for (int64_t b = 0; b < batch; ++b) {
    stacked.valid[b].narrow(0, 0, caches[static_cast<size_t>(b)].length()).fill_(true);
  }
  const auto stack = [&](const std::vector<torch::Tensor> KvCache::*member, size_t layer) {
    std::vector<torch::Tensor> rows;
    for (const KvCache& cache : caches) {
      const int64_t missing = longest - cache.length();
      if (cache.keys.empty()) {
        rows.push_back(torch::zeros({1, shape[1], longest, shape[3]}, options));
      } else if (missing == 0) {
        rows.push_back((cache.*member)[layer]);
      } else {
        rows.push_back(torch::constant_pad_nd((cache.*member)[layer], {0, 0, 0, missing}));
      }
    }
    return torch::cat(rows);
  };
  for (size_t layer = 0; layer < layers; ++layer) {
    stacked.keys.push_back(stack(&KvCache::keys, layer));
    stacked.values.push_back(stack(&KvCache::values, layer));
  }
  return stacked;
}

KvCache KvCache::Expand(int64_t size) const {
  KvCache expanded = *this;
  for (std::vector<torch::Tensor>* list : {&expanded.keys, &expanded.values}) {
    for (torch::Tensor& tensor : *list) tensor = tensor.expand({size, -1, -1, -1});
  }
  if (valid.defined()) expanded.valid = valid.expand({size, -1});
  if (next_position.defined()) expanded.next_position = next_position.expand({size});
  return expanded;
}

KvCache KvCache::Repeat(int64_t times) const {
  KvCache repeated = *this;
  for (std::vector<torch::Tensor>* list : {&repeated.keys, &repeated.values}) {
    for (torch::Tensor& tensor : *list) tensor = tensor.repeat_interleave(times, 0);
  }
  if (valid.defined()) repeated.valid = valid.repeat_interleave(times, 0);
  if (next_position.defined()) repeated.next_position = next_position.repeat_interleave(times, 0);
  return repeated;
}

}  // namespace lvrpo
