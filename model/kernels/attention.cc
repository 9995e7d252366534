#include "model/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/kernels/cpu_kernels.h"
#include "model/kernels/fused_ops.h"
#include "model/kernels/parallel.h"

namespace lvrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

int64_t PadToNr(int64_t n) {
  const int64_t nr = BestCpuKernels().nr;
  return (n + nr - 1) / nr * nr;
}

// The kernels need the last dimension contiguous.
torch::Tensor ContiguousRows(const torch::Tensor& x) { return x.stride(-1) == 1 ? x : x.contiguous(); }

// A strided view of a [B, heads, T, d] tensor, contiguous along d.
struct HeadView {
  const float* data = nullptr;
  int64_t batch_stride = 0, head_stride = 0, stride = 0;

  HeadView() = default;
  explicit HeadView(const torch::Tensor& x)
      : data(x.const_data_ptr<float>()),
        batch_stride(x.size(0) == 1 ? 0 : x.stride(0)),
        head_stride(x.stride(1)),
        stride(x.stride(2)) {}
  const float* at(int64_t b, int64_t head, int64_t token = 0) const {
    return data + b * batch_stride + head * head_stride + token * stride;
  }
};

// Keys or values of a segment: of the past tokens, indexed by the segment's rows, and of its new
// tokens, indexed by the batch's.
struct KvSource {
  HeadView past, own;
  int64_t past_length = 0;
};

// Keys or values of one head, past followed by own, in the two layouts that the kernels read.
class PackedKv {
 public:
  PackedKv(int64_t length, int64_t d)
      : length_(length), d_(d), padded_d_(PadToNr(d)), rows_(static_cast<size_t>(length * padded_d_)) {}

  // Copies one head. Row `b` of the batch is row `row` of the segment.
  void Load(const KvSource& source, int64_t b, int64_t row, int64_t head) {
    const int64_t past = source.past_length;
    for (int64_t i = 0; i < length_; ++i) {
      std::copy_n(i < past ? source.past.at(row, head, i) : source.own.at(b, head, i - past), d_,
                  rows_.data() + i * padded_d_);
    }
  }
  // [length, padded_d], filled by Load.
  const float* rows() const { return rows_.data(); }
  // The rows as packed by CpuKernels::pack.
  const float* Pack() {
    packed_.resize(static_cast<size_t>(PadToNr(length_) * d_));
    BestCpuKernels().pack(rows_.data(), padded_d_, length_, d_, packed_.data());
    return packed_.data();
  }

 private:
  int64_t length_, d_, padded_d_;
  std::vector<float> rows_, packed_;
};

// One segment by pointers and strides.
struct SegmentView {
  HeadView q;
  KvSource keys, values;
  int64_t queries = 0, length = 0, heads = 0, kv_heads = 0, d = 0;
  torch::Tensor mask;  // bool [rows, T, L], contiguous along L; may be undefined

  SegmentView(const torch::Tensor& all_q, const torch::Tensor& all_k, const torch::Tensor& all_v,
              const AttentionSegment& segment)
      : q(all_q),
        keys{.past = {}, .own = HeadView(all_k)},
        values{.past = {}, .own = HeadView(all_v)},
        queries(all_q.size(2)),
        length(all_k.size(2)),
        heads(all_q.size(1)),
        kv_heads(all_k.size(1)),
        d(all_q.size(3)) {
    if (segment.past_keys.defined()) {
      owned = {ContiguousRows(segment.past_keys), ContiguousRows(segment.past_values)};
      keys.past = HeadView(owned[0]);
      values.past = HeadView(owned[1]);
      keys.past_length = values.past_length = owned[0].size(2);
      length += keys.past_length;
    }
    if (segment.mask.defined()) mask = ContiguousRows(segment.mask.expand({segment.rows, queries, length}));
  }

  AttentionHead Head(int64_t b, int64_t row, int64_t head, int64_t first, int64_t count) const {
    AttentionHead out = {.queries = count,
                         .length = length,
                         .d = d,
                         .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(d))),
                         .q = q.at(b, head, first),
                         .q_stride = q.stride,
                         .packed_keys = nullptr,
                         .values = nullptr,
                         .mask = nullptr,
                         .mask_stride = 0};
    if (mask.defined()) {
      out.mask_stride = mask.stride(1);
      out.mask = reinterpret_cast<const uint8_t*>(mask.const_data_ptr<bool>()) + row * mask.stride(0) +
                 first * mask.stride(1);
    }
    return out;
  }

 private:
  variable_list owned;
};

// q, k, v contiguous along head_dim -> out [B, T, heads * d], stats [B, heads, T, 2].
void Run(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
         std::span<const AttentionSegment> segments, const torch::Tensor& out, const torch::Tensor& stats) {
  if (out.numel() == 0) return;
  std::vector<SegmentView> views;
  std::vector<std::pair<const SegmentView*, int64_t>> place;  // each batch row's segment, and its row there
  views.reserve(segments.size());
  for (const AttentionSegment& segment : segments) {
    views.emplace_back(q, k, v, segment);
    for (int64_t row = 0; row < segment.rows; ++row) place.emplace_back(&views.back(), row);
  }
  const int64_t batch = q.size(0), heads = q.size(1), tokens = q.size(2), d = q.size(3), kv_heads = k.size(1),
                group = heads / kv_heads;
  const CpuKernels& kernels = BestCpuKernels();
  // With fewer heads than threads the queries are split too.
  const int64_t wanted = (ThreadsHere() + batch * kv_heads - 1) / (batch * kv_heads),
                most = (tokens + kernels.query_rows - 1) / kernels.query_rows,
                pieces = std::clamp<int64_t>(wanted, 1, most), each = (tokens + pieces - 1) / pieces;
  float *to = out.mutable_data_ptr<float>(), *stat = stats.mutable_data_ptr<float>();
  ParallelFor(0, batch * kv_heads * pieces, 1, [&](int64_t begin, int64_t end) {
    std::optional<PackedKv> keys, values;
    std::vector<float> scores;
    int64_t allocated = -1;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t b = item / (kv_heads * pieces), kv_head = item / pieces % kv_heads,
                    first = item % pieces * each, count = std::min(each, tokens - first);
      if (count <= 0) continue;
      const auto& [segment, row] = place[static_cast<size_t>(b)];
      if (allocated != segment->length) {
        allocated = segment->length;
        keys.emplace(allocated, d);
        values.emplace(allocated, d);
        scores.resize(static_cast<size_t>(kernels.query_rows * PadToNr(allocated)));
      }
      keys->Load(segment->keys, b, row, kv_head);
      values->Load(segment->values, b, row, kv_head);
      const float* packed_keys = keys->Pack();
      for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        AttentionHead attention = segment->Head(b, row, head, first, count);
        attention.packed_keys = packed_keys;
        attention.values = values->rows();
        kernels.attend_rows(attention, scores.data(), to + ((b * tokens + first) * heads + head) * d,
                            heads * d, stat + 2 * ((b * heads + head) * tokens + first));
      }
    }
  });
}

torch::Tensor StatsFor(const torch::Tensor& q) {
  return torch::empty({q.size(0), q.size(1), q.size(2), 2}, q.options().requires_grad(false));
}
torch::Tensor OutFor(const torch::Tensor& q) {
  return torch::empty({q.size(0), q.size(2), q.size(1) * q.size(3)}, q.options().requires_grad(false));
}

struct AttentionFunction : torch::autograd::Function<AttentionFunction> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& q, const torch::Tensor& k,
                               const torch::Tensor& v, const std::optional<torch::Tensor>& mask) {
    const AttentionSegment segment = {.rows = q.size(0), .mask = mask.value_or(torch::Tensor())};
    const torch::Tensor out = OutFor(q), stats = StatsFor(q);
    Run(q, k, v, {&segment, 1}, out, stats);
    context->save_for_backward({q, k, v, segment.mask, out, stats});
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const torch::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[4], &stats = saved[5];
    const AttentionSegment segment = {.rows = q.size(0), .mask = saved[3]};
    const torch::Tensor grad_out = gradients[0].contiguous();
    const auto like = [](const torch::Tensor& x) {
      return torch::empty(x.sizes(), x.options().memory_format(torch::MemoryFormat::Contiguous));
    };
    const torch::Tensor grad_q = like(q), grad_k = like(k), grad_v = like(v);
    const SegmentView view(q, k, v, segment);
    const CpuKernels& kernels = BestCpuKernels();
    const int64_t heads = view.heads, kv_heads = view.kv_heads, group = heads / kv_heads, d = view.d,
                  tokens = view.queries, length = view.length, padded_d = PadToNr(d);
    const float *o = out.const_data_ptr<float>(), *g = grad_out.const_data_ptr<float>(),
                *stat = stats.const_data_ptr<float>();
    float *to_q = grad_q.mutable_data_ptr<float>(), *to_k = grad_k.mutable_data_ptr<float>(),
          *to_v = grad_v.mutable_data_ptr<float>();
    ParallelFor(0, q.size(0) * kv_heads, 1, [&](int64_t begin, int64_t end) {
      PackedKv keys(length, d), values(length, d);
      std::vector<float> scratch(static_cast<size_t>(2 * kernels.query_rows * (PadToNr(length) + padded_d))),
          key_acc(static_cast<size_t>(length * padded_d)), value_acc(key_acc.size());
      for (int64_t item = begin; item < end; ++item) {
        const int64_t b = item / kv_heads, kv_head = item % kv_heads;
        keys.Load(view.keys, b, b, kv_head);
        values.Load(view.values, b, b, kv_head);
        const float *packed_keys = keys.Pack(), *packed_values = values.Pack();
        std::fill(key_acc.begin(), key_acc.end(), 0.f);
        std::fill(value_acc.begin(), value_acc.end(), 0.f);
        for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
          AttentionHead attention = view.Head(b, b, head, 0, tokens);
          attention.packed_keys = packed_keys;
          attention.values = values.rows();
          const int64_t merged = (b * tokens * heads + head) * d, split = (b * heads + head) * tokens;
          kernels.attend_rows_backward(attention,
                                       {.out = o + merged,
                                        .grad_out = g + merged,
                                        .out_stride = heads * d,
                                        .stats = stat + 2 * split,
                                        .packed_values = packed_values,
                                        .keys = keys.rows(),
                                        .grad_q = to_q + split * d,
                                        .grad_q_stride = d,
                                        .grad_keys = key_acc.data(),
                                        .grad_values = value_acc.data()},
                                       scratch.data());
        }
        for (int64_t i = 0; i < length; ++i) {
          std::copy_n(key_acc.data() + i * padded_d, d, to_k + (item * length + i) * d);
          std::copy_n(value_acc.data() + i * padded_d, d, to_v + (item * length + i) * d);
        }
      }
    });
    return {grad_q, grad_k, grad_v, {}};
  }
};

torch::Tensor ByTorch(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                      const torch::Tensor& mask) {
  const int64_t batch = q.size(0), heads = q.size(1), tokens = q.size(2), d = q.size(3);
  const int64_t kv_heads = k.size(1), groups = heads / kv_heads;
  // The query heads of one kv head are stacked along the token axis, so keys and values are not repeated.
  std::optional<torch::Tensor> grouped_mask;
  if (mask.defined())
    grouped_mask = mask.expand({mask.dim() == 3 ? mask.size(0) : 1, tokens, k.size(2)})
                       .unsqueeze(1)
                       .repeat({1, 1, groups, 1});
  return MergeHeads(
      at::scaled_dot_product_attention(q.reshape({batch, kv_heads, groups * tokens, d}), k, v, grouped_mask)
          .reshape({batch, heads, tokens, d}));  // a GPU's is strided
}

}  // namespace

torch::Tensor ConcatPast(const torch::Tensor& past, const torch::Tensor& own) {
  if (!past.defined()) return own;
  return torch::cat({past.expand({own.size(0), -1, -1, -1}), own}, 2);
}

torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                        std::span<const AttentionSegment> segments) {
  const bool by_kernel = UsesCpuKernels(q);
  bool gradients = false;
  if (torch::GradMode::is_enabled()) {
    gradients = q.requires_grad() || k.requires_grad() || v.requires_grad();
    for (const AttentionSegment& s : segments)
      gradients = gradients ||
                  (s.past_keys.defined() && (s.past_keys.requires_grad() || s.past_values.requires_grad()));
  }
  if (by_kernel && !gradients) {
    const torch::Tensor out = OutFor(q);
    Run(ContiguousRows(q), ContiguousRows(k), ContiguousRows(v), segments, out, StatsFor(q));
    return out;
  }
  variable_list parts;
  int64_t row = 0;
  for (const AttentionSegment& segment : segments) {
    const auto own = [&](const torch::Tensor& x) { return x.narrow(0, row, segment.rows); };
    const torch::Tensor keys = ConcatPast(segment.past_keys, own(k)),
                        values = ConcatPast(segment.past_values, own(v));
    parts.push_back(by_kernel ? AttentionFunction::apply(
                                    ContiguousRows(own(q)), ContiguousRows(keys), ContiguousRows(values),
                                    segment.mask.defined() ? std::optional(segment.mask) : std::nullopt)
                              : ByTorch(own(q), keys, values, segment.mask));
    row += segment.rows;
  }
  return parts.size() == 1 ? parts[0] : torch::cat(parts);
}

torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                        const torch::Tensor& mask) {
  const AttentionSegment segment = {.rows = q.size(0), .mask = mask};
  return Attention(q, k, v, {&segment, 1});
}

torch::Tensor SplitHeads(const torch::Tensor& x, int64_t heads) {
  return x.unflatten(-1, {heads, x.size(2) / heads}).transpose(1, 2);
}

torch::Tensor MergeHeads(const torch::Tensor& x) { return x.transpose(1, 2).flatten(2); }

}  // namespace lvrpo
