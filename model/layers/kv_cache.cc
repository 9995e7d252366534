#include "model/layers/kv_cache.h"

namespace lvrpo {

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
