#pragma once

#include <cstdint>

namespace lvrpo {

// One head of many queries over the same keys. padded_d is d padded to a multiple of CpuKernels::nr.
struct AttentionHead {
  int64_t queries, length, d;
  float scale;
  const float* q;  // [queries, d], rows q_stride apart
  int64_t q_stride;
  const float* packed_keys;  // [length, d], packed
  const float* values;       // [length, padded_d]
  const uint8_t* mask;       // [queries, length], rows mask_stride apart; 0: masked. Null: no mask.
  int64_t mask_stride;
};

// What the gradient needs besides the AttentionHead.
struct AttentionGradient {
  const float *out, *grad_out;  // [queries, d], rows out_stride apart
  int64_t out_stride;
  const float* stats;          // [queries, 2], from the forward
  const float* packed_values;  // [length, d], packed
  const float* keys;           // [length, padded_d]
  float* grad_q;               // [queries, d], rows grad_q_stride apart
  int64_t grad_q_stride;
  float *grad_keys, *grad_values;  // [length, padded_d], accumulated into
};

// fp32 CPU kernels: the operations between a transformer's GEMMs, each fused into one pass over the
// activations, a GEMM on prepacked weights, and attention. Plain loops over rows, without torch or threads;
// callers split the rows between threads (model/kernels/fused_ops.h). Compiled once per instruction set; the
// best that this processor has is used. Each output row depends only on its input row.
//
// All arrays are contiguous, and rows are [begin, end) of the first dimension, unless stated otherwise.
struct CpuKernels {
  const char* name;  // "avx512", "avx2" or "generic"

  // sum = x + delta, out = sum / rms(sum) * weight; inverse[row] = 1 / rms, for the backward. x, delta, out
  // [rows, n]; with a null `delta` sum is x, and `sum` is not written. eps is added to the mean square.
  void (*add_rms_norm)(const float* x, const float* delta, const float* weight, float eps, int64_t n,
                       int64_t begin, int64_t end, float* sum, float* out, float* inverse);
  // grad_x = d/dsum of the above for grad_out, + grad_sum (may be null). Accumulates into grad_weight [n];
  // null: not computed.
  void (*add_rms_norm_backward)(const float* grad_out, const float* grad_sum, const float* sum,
                                const float* weight, const float* inverse, int64_t n, int64_t begin,
                                int64_t end, float* grad_x, float* grad_weight);

  // out = silu(gate) * up, rows of [gate | up]: [rows, 2 n] -> [rows, n].
  void (*swiglu)(const float* gate_up, int64_t n, int64_t begin, int64_t end, float* out);
  void (*swiglu_backward)(const float* grad_out, const float* gate_up, int64_t n, int64_t begin, int64_t end,
                          float* grad_gate_up);
  // GELU, tanh approximation: [rows, n] -> [rows, n].
  void (*gelu)(const float* x, int64_t n, int64_t begin, int64_t end, float* out);
  void (*gelu_backward)(const float* grad_out, const float* x, int64_t n, int64_t begin, int64_t end,
                        float* grad_x);

  // One token's heads, in [heads, d], each RMS-normalised (norm_weight [d]; null: not) and rotated: RoPE in
  // its half-split form, cosine and sine [d / 2]; null: not rotated. Head h is written to out + h *
  // out_stride.
  void (*rotate_heads)(const float* in, const float* norm_weight, float eps, const float* cosine,
                       const float* sine, int64_t heads, int64_t d, float* out, int64_t out_stride);
  // The backward, with head h's gradient at grad_out + h * grad_stride. Accumulates into grad_norm_weight
  // [d]; null: not computed.
  void (*rotate_heads_backward)(const float* grad_out, int64_t grad_stride, const float* in,
                                const float* norm_weight, float eps, const float* cosine, const float* sine,
                                int64_t heads, int64_t d, float* grad_in, float* grad_norm_weight);

  // GEMM with a prepacked weight. `pack` copies W [columns, depth], rows row_stride apart, into panels of
  // `nr` (BLIS's NR) columns, each [depth, nr], the last one padded with zeros. `multiply`: out[row, c] =
  // bias[c] + sum_k x[row, k] W[c, k] for rows [begin, end) and the columns of panels [first_panel,
  // last_panel). x [rows, depth] and out are row-major; out's rows are out_stride apart. bias, padded like
  // the panels, may be null. Each output is accumulated over k in order, so it depends only on its row and
  // its column.
  int64_t nr;
  void (*pack)(const float* weight, int64_t row_stride, int64_t columns, int64_t depth, float* packed);
  void (*multiply)(const float* x, int64_t depth, int64_t begin, int64_t end, const float* packed,
                   const float* bias, int64_t columns, int64_t first_panel, int64_t last_panel, float* out,
                   int64_t out_stride);

  // Attention of one decode step: softmax(q k^T * scale) v, with q and out [queries, d], k and v [length, d],
  // unpacked. `scores`: scratch of 4 * (length + 16) floats.
  void (*attend)(const float* q, int64_t queries, const float* k, const float* v, int64_t length, int64_t d,
                 float scale, float* scores, float* out);
  // Attention of many queries, query_rows at a time: out [queries, d], rows out_stride apart; zeros for a
  // query whose keys are all masked. stats [queries, 2]: row max of the scores, and 1 / (sum of
  // exponentials). Each output row depends only on its query, the keys, the values and its mask row.
  // `scores`: scratch of query_rows * (length padded to nr) floats.
  int64_t query_rows;
  void (*attend_rows)(const AttentionHead& head, float* scores, float* out, int64_t out_stride, float* stats);
  // The backward of attend_rows. `scratch`: 2 * query_rows * (padded length + padded_d) floats.
  void (*attend_rows_backward)(const AttentionHead& head, const AttentionGradient& gradient, float* scratch);
};

// The kernels for this processor. LVRPO_CPU_KERNELS=generic or avx2 in the environment selects a lesser set,
// for tests; one that the processor does not support is ignored.
const CpuKernels& BestCpuKernels();

// Every set that this processor can run, best first.
struct CpuKernelSets {
  const CpuKernels* sets[3];
  int count;
};
CpuKernelSets AvailableCpuKernels();

}  // namespace lvrpo
