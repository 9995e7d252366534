#pragma once

#include <cstdint>

namespace lvrpo {

// One head of many queries that attend to the same keys. With `filled` d filled up to whole panels
// (CpuKernels::panel):
struct AttentionHead {
  int64_t queries, length, d;
  float scale;
  const float* q;  // [queries, d], rows q_stride apart
  int64_t q_stride;
  const float* packed_keys;  // [length, d], in pack's order
  const float* values;       // [length, filled]
  const uint8_t* seen;       // [queries, length], rows seen_stride apart; 0: hidden. Null: all are seen.
  int64_t seen_stride;
};

// What its gradient needs besides.
struct AttentionGradient {
  const float *out, *grad_out;  // [queries, d], rows out_stride apart
  int64_t out_stride;
  const float* stats;          // [queries, 2], of the forward
  const float* packed_values;  // [length, d], in pack's order
  const float* keys;           // [length, filled]
  float* grad_q;               // [queries, d], rows grad_q_stride apart
  int64_t grad_q_stride;
  float *grad_keys, *grad_values;  // [length, filled], added to
};

// The small operations between a transformer's matrices, in fp32 on a CPU: what a framework does in five to
// ten passes over the activations is one pass here. Plain loops over rows, without torch; callers split the
// rows between threads (model/kernels/fused_ops.h). Compiled once for each instruction set; the best that
// this processor has is taken. A row's result depends on that row alone.
//
// All arrays are contiguous; rows are [begin, end) of the arrays' first dimension unless said otherwise.
struct CpuKernels {
  const char* name;  // "avx512", "avx2" or "generic"

  // sum = x + delta, out = sum / rms(sum) * weight; inverse[row] = 1 / rms, for the gradient. x, delta, out
  // [rows, n]; without `delta` sum is x, and `sum` is not written. eps is added to the mean square.
  void (*add_rms_norm)(const float* x, const float* delta, const float* weight, float eps, int64_t n,
                       int64_t begin, int64_t end, float* sum, float* out, float* inverse);
  // grad_x = d/dsum of the above for grad_out, + grad_sum (may be null). grad_weight [n] is added to; null:
  // not computed.
  void (*add_rms_norm_backward)(const float* grad_out, const float* grad_sum, const float* sum,
                                const float* weight, const float* inverse, int64_t n, int64_t begin,
                                int64_t end, float* grad_x, float* grad_weight);

  // out = silu(gate) * up, of rows [gate | up], each of n: [rows, 2 n] -> [rows, n].
  void (*swiglu)(const float* gate_up, int64_t n, int64_t begin, int64_t end, float* out);
  void (*swiglu_backward)(const float* grad_out, const float* gate_up, int64_t n, int64_t begin, int64_t end,
                          float* grad_gate_up);
  // GELU in its tanh form of rows of n: [rows, n] -> [rows, n].
  void (*gelu)(const float* x, int64_t n, int64_t begin, int64_t end, float* out);
  void (*gelu_backward)(const float* grad_out, const float* x, int64_t n, int64_t begin, int64_t end,
                        float* grad_x);

  // `heads` heads of d numbers, each normalised (with norm_weight [d], unless it is null) and turned by the
  // rotary angle: the first half of a head against its second. cosine, sine [d / 2]; null: not turned.
  // Head h is written to out + h * out_stride.
  void (*rotate_heads)(const float* in, const float* norm_weight, float eps, const float* cosine,
                       const float* sine, int64_t heads, int64_t d, float* out, int64_t out_stride);
  // The gradient, from head h's at grad_out + h * grad_stride. grad_norm_weight [d] is added to; null: not
  // computed.
  void (*rotate_heads_backward)(const float* grad_out, int64_t grad_stride, const float* in,
                                const float* norm_weight, float eps, const float* cosine, const float* sine,
                                int64_t heads, int64_t d, float* grad_in, float* grad_norm_weight);

  // Products with a matrix W [columns, depth], rows `stride` apart, that `pack` has put in order: panels of
  // `panel` columns, each [depth, panel], the last one filled up with zeros. out[row, c] = bias[c] + sum_k
  // x[row, k] W[c, k] for rows [begin, end) and the columns of panels [first_panel, last_panel). x [rows,
  // depth] and out are row-major; out's rows are `out_stride` apart. bias, of a whole number of panels, may
  // be null. Each number is summed up over k in order, so it depends on nothing but its row and its column.
  int64_t panel;
  void (*pack)(const float* weight, int64_t stride, int64_t columns, int64_t depth, float* packed);
  void (*multiply)(const float* x, int64_t depth, int64_t begin, int64_t end, const float* packed,
                   const float* bias, int64_t columns, int64_t first_panel, int64_t last_panel, float* out,
                   int64_t out_stride);

  // Attention of `queries` vectors [queries, d] over the same keys and values [length, d]:
  // softmax(q k^T * scale) v -> out [queries, d]. `scores`: scratch of 4 * (length + 16) floats.
  void (*attend)(const float* q, int64_t queries, const float* k, const float* v, int64_t length, int64_t d,
                 float scale, float* scores, float* out);
  // The same for many: out [queries, d], rows `out_stride` apart; zeros where a query sees nothing. stats
  // [queries, 2]: the largest score and 1 / (sum of exponentials). A row's numbers depend on that row, the
  // keys and the values alone. `scores`: scratch of query_rows * (length in whole panels) floats.
  int64_t query_rows;
  void (*attend_rows)(const AttentionHead& head, float* scores, float* out, int64_t out_stride, float* stats);
  // Its gradients. `scratch`: 2 * query_rows * (length and d in whole panels) floats.
  void (*attend_rows_backward)(const AttentionHead& head, const AttentionGradient& gradient, float* scratch);
};

// The kernels for this processor. LVRPO_CPU_KERNELS=generic or avx2 in the environment asks for a lesser
// set, for tests; one that the processor does not have is not given.
const CpuKernels& BestCpuKernels();

// Each set that this processor can run, the best first.
struct CpuKernelSets {
  const CpuKernels* sets[3];
  int count;
};
CpuKernelSets AvailableCpuKernels();

}  // namespace lvrpo
