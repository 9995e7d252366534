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

int64_t KvSlots::Longest(int64_t rows) const {
  return *std::max_element(lengths_.begin(), lengths_.begin() + rows);
}

torch::Tensor KvSlots::Lengths(int64_t rows) const {
  return torch::tensor(std::vector<int64_t>(lengths_.begin(), lengths_.begin() + rows), torch::kInt64)
      .to(keys_[0].device());
}

torch::Tensor KvSlots::Positions(int64_t rows) const {
  return torch::tensor(std::vector<int64_t>(positions_.begin(), positions_.begin() + rows), torch::kInt64)
      .to(keys_[0].device())
      .unsqueeze(1);
}

torch::Tensor KvSlots::Mask(int64_t rows) const {
  const int64_t longest = Longest(rows);
  if (std::all_of(lengths_.begin(), lengths_.begin() + rows,
                  [&](int64_t length) { return length == longest; }))
    return {};
  const torch::Tensor lengths = Lengths(rows);
  return (torch::arange(longest + 1, lengths.options()) <= lengths.unsqueeze(1)).unsqueeze(1);
}

std::pair<torch::Tensor, torch::Tensor> KvSlots::Append(size_t layer, const torch::Tensor& k,
                                                        const torch::Tensor& v) {
  const int64_t rows = k.size(0), longest = Longest(rows);
  TORCH_CHECK(longest < capacity_, "a slot of ", capacity_, " entries is full");
  const torch::Tensor keys = keys_[layer].narrow(0, 0, rows), values = values_[layer].narrow(0, 0, rows);
  const torch::Tensor place = Lengths(rows).view({rows, 1, 1, 1}).expand_as(k);
  keys.scatter_(2, place, k);
  values.scatter_(2, place, v);
  return {keys.narrow(2, 0, longest + 1), values.narrow(2, 0, longest + 1)};
}

void KvSlots::Advance(int64_t rows) {
  for (int64_t row = 0; row < rows; ++row) ++lengths_[row], ++positions_[row];
}

}  // namespace lvrpo
