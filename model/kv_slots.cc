#include "model/kv_slots.h"

#include <algorithm>

namespace lvrpo {

KvSlots::KvSlots(const BagelConfig& config, int64_t slots, int64_t capacity,
                 const torch::TensorOptions& options)
    : capacity_(capacity), lengths_(slots), positions_(slots) {
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    for (std::vector<torch::Tensor>* list : {&keys_, &values_})
      list->push_back(torch::zeros({slots, config.kv_heads, capacity, config.head_dim()}, options));
  }
}

int64_t KvSlots::Bytes(const BagelConfig& config, int64_t slots, int64_t capacity, torch::Dtype dtype) {
  return 2 * config.layers * slots * config.kv_heads * capacity * config.head_dim() *
         static_cast<int64_t>(c10::elementSize(dtype));
}

void KvSlots::Fill(int64_t slot, const KvCache& context) {
  TORCH_CHECK(context.batch() == 1 && context.length() <= capacity_ && !context.valid.defined(),
              "a context of ", context.length(), " entries and ", context.batch(),
              " rows does not fit a slot of ", capacity_);
  for (size_t layer = 0; layer < context.keys.size(); ++layer) {
    keys_[layer][slot].narrow(1, 0, context.length()).copy_(context.keys[layer][0]);
    values_[layer][slot].narrow(1, 0, context.length()).copy_(context.values[layer][0]);
  }
  lengths_[slot] = context.length();
  positions_[slot] = context.next_position.defined() ? context.next_position[0].item<int64_t>() : 0;
}

void KvSlots::Move(int64_t from, int64_t to) {
  for (std::vector<torch::Tensor>* list : {&keys_, &values_}) {
    for (torch::Tensor& tensor : *list) {
      tensor[to].narrow(1, 0, lengths_[from]).copy_(tensor[from].narrow(1, 0, lengths_[from]));
    }
  }
  lengths_[to] = lengths_[from];
  positions_[to] = positions_[from];
}

KvSlots::Step KvSlots::BeginStep(int64_t rows) {
  const auto on_device = [&](const std::vector<int64_t>& values) {
    return torch::tensor(std::vector<int64_t>(values.begin(), values.begin() + rows), torch::kInt64)
        .to(keys_[0].device());
  };
  const auto [shortest, longest] = std::minmax_element(lengths_.begin(), lengths_.begin() + rows);
  TORCH_CHECK(*longest < capacity_, "a slot of ", capacity_, " entries is full");
  step_longest_ = *longest;
  step_lengths_ = on_device(lengths_).view({rows, 1, 1, 1});
  Step step{.positions = on_device(positions_).unsqueeze(1), .mask = {}};
  if (*shortest != *longest)
    step.mask = torch::arange(*longest + 1, step_lengths_.options()) <= step_lengths_.view({rows, 1, 1});
  return step;
}

std::pair<torch::Tensor, torch::Tensor> KvSlots::Append(size_t layer, const torch::Tensor& k,
                                                        const torch::Tensor& v) {
  const int64_t rows = k.size(0);
  const torch::Tensor keys = keys_[layer].narrow(0, 0, rows), values = values_[layer].narrow(0, 0, rows);
  const torch::Tensor place = step_lengths_.expand_as(k);
  keys.scatter_(2, place, k);
  values.scatter_(2, place, v);
  return {keys.narrow(2, 0, step_longest_ + 1), values.narrow(2, 0, step_longest_ + 1)};
}

void KvSlots::EndStep() {
  for (int64_t row = 0; row < step_lengths_.size(0); ++row) ++lengths_[row], ++positions_[row];
}

}  // namespace lvrpo
