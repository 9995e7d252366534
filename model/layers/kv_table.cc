#include "model/layers/kv_table.h"

#include <algorithm>
#include <cmath>

#include "model/kernels/attention.h"
#include "model/kernels/cpu_kernels.h"
#include "model/kernels/fused_ops.h"
#include "model/kernels/parallel.h"

namespace lvrpo {

KvTable::KvTable(const KvShape& shape, int64_t slots, int64_t capacity, const torch::TensorOptions& options)
    : capacity_(capacity), lengths_(slots), positions_(slots) {
  for (int64_t layer = 0; layer < shape.layers; ++layer) {
    for (std::vector<torch::Tensor>* list : {&keys_, &values_})
      list->push_back(torch::zeros({slots, shape.kv_heads, capacity, shape.head_dim}, options));
  }
}

int64_t KvTable::Bytes(const KvShape& shape, int64_t slots, int64_t capacity, torch::Dtype dtype) {
  return 2 * shape.layers * slots * shape.kv_heads * capacity * shape.head_dim *
         static_cast<int64_t>(c10::elementSize(dtype));
}

void KvTable::Fill(int64_t slot, const KvCache& context) {
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

void KvTable::Move(int64_t from, int64_t to) {
  for (std::vector<torch::Tensor>* list : {&keys_, &values_}) {
    for (torch::Tensor& tensor : *list) {
      tensor[to].narrow(1, 0, lengths_[from]).copy_(tensor[from].narrow(1, 0, lengths_[from]));
    }
  }
  lengths_[to] = lengths_[from];
  positions_[to] = positions_[from];
}

torch::Tensor KvTable::BeginStep(int64_t rows) {
  const auto on_device = [&](const std::vector<int64_t>& values) {
    return torch::tensor(std::vector<int64_t>(values.begin(), values.begin() + rows), torch::kInt64)
        .to(keys_[0].device());
  };
  const auto [shortest, longest] = std::minmax_element(lengths_.begin(), lengths_.begin() + rows);
  TORCH_CHECK(*longest < capacity_, "a slot of ", capacity_, " entries is full");
  step_rows_ = rows;
  step_longest_ = *longest;
  if (!UsesCpuKernels(keys_[0])) {
    step_lengths_ = on_device(lengths_).view({rows, 1, 1, 1});
    step_mask_ = torch::Tensor();
    if (*shortest != *longest)
      step_mask_ = torch::arange(*longest + 1, step_lengths_.options()) <= step_lengths_.view({rows, 1, 1});
  }
  return on_device(positions_).unsqueeze(1);
}

torch::Tensor KvTable::Attend(size_t layer, const torch::Tensor& q, const torch::Tensor& k,
                              const torch::Tensor& v) {
  if (UsesCpuKernels(keys_[0])) return AttendByKernel(layer, q, k, v);
  const torch::Tensor keys = keys_[layer].narrow(0, 0, step_rows_),
                      values = values_[layer].narrow(0, 0, step_rows_);
  const torch::Tensor place = step_lengths_.expand_as(k);
  keys.scatter_(2, place, k);
  values.scatter_(2, place, v);
  return Attention(q, keys.narrow(2, 0, step_longest_ + 1), values.narrow(2, 0, step_longest_ + 1),
                   step_mask_);
}

torch::Tensor KvTable::AttendByKernel(size_t layer, const torch::Tensor& q, const torch::Tensor& k,
                                      const torch::Tensor& v) {
  const int64_t heads = q.size(1), kv_heads = k.size(1), d = q.size(3), groups = heads / kv_heads;
  const torch::Tensor queries = q.contiguous(), new_keys = k.contiguous(), new_values = v.contiguous();
  const torch::Tensor out = torch::empty({q.size(0), 1, heads * d}, q.options());
  const float *from_q = queries.const_data_ptr<float>(), *from_k = new_keys.const_data_ptr<float>(),
              *from_v = new_values.const_data_ptr<float>();
  float *keys = keys_[layer].mutable_data_ptr<float>(), *values = values_[layer].mutable_data_ptr<float>(),
        *to = out.mutable_data_ptr<float>();
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(d)));
  ParallelFor(0, step_rows_ * kv_heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scores(static_cast<size_t>(4 * (step_longest_ + 1 + 16)));
    for (int64_t item = begin; item < end; ++item) {
      const int64_t length = lengths_[item / kv_heads];
      float *own_keys = keys + item * capacity_ * d, *own_values = values + item * capacity_ * d;
      std::copy_n(from_k + item * d, d, own_keys + length * d);
      std::copy_n(from_v + item * d, d, own_values + length * d);
      // The query heads of one kv head are contiguous.
      BestCpuKernels().attend(from_q + item * groups * d, groups, own_keys, own_values, length + 1, d, scale,
                              scores.data(), to + item * groups * d);
    }
  });
  return out;
}

void KvTable::EndStep() {
  for (int64_t row = 0; row < step_rows_; ++row) ++lengths_[row], ++positions_[row];
}

}  // namespace lvrpo
