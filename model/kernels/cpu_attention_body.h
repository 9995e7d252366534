// Attention of many queries over the GEMM micro-kernel of cpu_kernels_body.h, which includes this file.

namespace lvrpo::LVRPO_KERNELS_NAME {
namespace {

// Queries of one block: their scores stay in the cache.
constexpr int64_t kQueryRows = 2 * kMr;
// The score of a masked key: exp(kMasked - row_max) is 0.
constexpr float kMasked = -3e38f;

LVRPO_INLINE int64_t PadToNr(int64_t n) { return (n + kNr - 1) / kNr * kNr; }

template <int64_t kHalf = kWidth / 2>
LVRPO_INLINE float Max(const Vector& v) {
  if constexpr (kHalf == 0) {
    return v[0];
  } else {
    const Vector other = RotateLanes<kHalf>(v, std::make_integer_sequence<uint64_t, kWidth>());
    return Max<kHalf / 2>(v > other ? v : other);
  }
}

// scores [rows, PadToNr(length)] = x keys^T, with x [rows, d] and keys [length, d] packed. Columns of padding
// are those of pack's zeros.
static void Scores(const float* x, int64_t stride, int64_t rows, const float* packed, int64_t length,
                   int64_t d, float* scores) {
  const int64_t padded_length = PadToNr(length);
  for (int64_t key = 0; key < padded_length; key += kNr) {
    GemmRows<kMr>(x, stride, 1, d, rows, packed + key * d, kNr, nullptr, false, scores + key, padded_length,
                  kNr);
  }
}

// Sets the scores of padding and masked keys to kMasked.
static void MaskScores(const AttentionHead& head, int64_t first, int64_t rows, float* scores) {
  const int64_t padded_length = PadToNr(head.length);
  for (int64_t row = 0; row < rows; ++row) {
    float* row_scores = scores + row * padded_length;
    for (int64_t key = head.length; key < padded_length; ++key) row_scores[key] = kMasked;
    if (head.mask == nullptr) continue;
    const uint8_t* mask = head.mask + (first + row) * head.mask_stride;
    for (int64_t key = 0; key < head.length; ++key)
      row_scores[key] = mask[key] != 0 ? row_scores[key] : kMasked;
  }
}

void AttendRows(const AttentionHead& head, float* scores, float* out, int64_t out_stride, float* stats) {
  const int64_t d = head.d, padded_d = PadToNr(d), padded_length = PadToNr(head.length);
  for (int64_t first = 0; first < head.queries; first += kQueryRows) {
    const int64_t rows = head.queries - first < kQueryRows ? head.queries - first : kQueryRows;
    Scores(head.q + first * head.q_stride, head.q_stride, rows, head.packed_keys, head.length, d, scores);
    MaskScores(head, first, rows, scores);
    for (int64_t row = 0; row < rows; ++row) {
      float* row_scores = scores + row * padded_length;
      Vector maxima = Load(row_scores);
      for (int64_t key = kWidth; key < padded_length; key += kWidth) {
        const Vector score = Load(row_scores + key);
        maxima = score > maxima ? score : maxima;
      }
      const float row_max = Max(maxima);
      Vector total = {};
      for (int64_t key = 0; key < padded_length; key += kWidth) {
        const Vector exponential = Exp((Load(row_scores + key) - row_max) * head.scale);
        Store(row_scores + key, exponential);
        total += exponential;
      }
      stats[2 * (first + row)] = row_max;
      stats[2 * (first + row) + 1] = row_max == kMasked ? 0 : 1.0f / Sum(total);
    }
    float* to = out + first * out_stride;
    for (int64_t column = 0; column < d; column += kNr) {
      GemmRows<kMr>(scores, padded_length, 1, head.length, rows, head.values + column, padded_d, nullptr,
                    false, to + column, out_stride, d - column);
    }
    for (int64_t row = 0; row < rows; ++row) {
      const float inverse_sum = stats[2 * (first + row) + 1];
      ForEachVector(
          d, [&, out_row = to + row * out_stride ](auto load, auto store)
                 __attribute__((always_inline)) { store(out_row, load(out_row) * inverse_sum); });
    }
  }
}

// With P the probs, dP = dO V^T and delta = rowsum(dO * O): dV = P^T dO, dS = scale P * (dP - delta), dQ = dS
// K, dK = dS^T Q.
void AttendRowsBackward(const AttentionHead& head, const AttentionGradient& gradient, float* scratch) {
  const int64_t d = head.d, padded_d = PadToNr(d), padded_length = PadToNr(head.length);
  float *probs = scratch, *d_scores = probs + kQueryRows * padded_length,
        *padded_q = d_scores + kQueryRows * padded_length, *padded_grads = padded_q + kQueryRows * padded_d;
  for (int64_t i = 0; i < kQueryRows * padded_d; ++i) padded_q[i] = padded_grads[i] = 0;
  for (int64_t first = 0; first < head.queries; first += kQueryRows) {
    const int64_t rows = head.queries - first < kQueryRows ? head.queries - first : kQueryRows;
    const float *q = head.q + first * head.q_stride,
                *grad_out = gradient.grad_out + first * gradient.out_stride,
                *out = gradient.out + first * gradient.out_stride;
    Scores(q, head.q_stride, rows, head.packed_keys, head.length, d, probs);
    MaskScores(head, first, rows, probs);
    Scores(grad_out, gradient.out_stride, rows, gradient.packed_values, head.length, d, d_scores);
    for (int64_t row = 0; row < rows; ++row) {
      const float *grad_row = grad_out + row * gradient.out_stride,
                  *out_row = out + row * gradient.out_stride, *query = q + row * head.q_stride;
      float *query_copy = padded_q + row * padded_d, *grad_copy = padded_grads + row * padded_d;
      Vector dots = {};
      ForEachVector(
          d, [&](auto load, auto store) __attribute__((always_inline)) {
            const Vector grad = load(grad_row);
            dots += grad * load(out_row);
            store(grad_copy, grad);
            store(query_copy, load(query));
          });
      const float delta = Sum(dots), row_max = gradient.stats[2 * (first + row)],
                  inverse_sum = gradient.stats[2 * (first + row) + 1];
      float *prob = probs + row * padded_length, *d_score = d_scores + row * padded_length;
      for (int64_t key = 0; key < padded_length; key += kWidth) {
        const Vector p = Exp((Load(prob + key) - row_max) * head.scale) * inverse_sum;
        Store(prob + key, p);
        Store(d_score + key, p * (Load(d_score + key) - delta) * head.scale);
      }
    }
    for (int64_t column = 0; column < d; column += kNr) {
      GemmRows<kMr>(d_scores, padded_length, 1, head.length, rows, gradient.keys + column, padded_d, nullptr,
                    false, gradient.grad_q + first * gradient.grad_q_stride + column, gradient.grad_q_stride,
                    d - column);
      GemmRows<kMr>(d_scores, 1, padded_length, rows, head.length, padded_q + column, padded_d, nullptr, true,
                    gradient.grad_keys + column, padded_d, kNr);
      GemmRows<kMr>(probs, 1, padded_length, rows, head.length, padded_grads + column, padded_d, nullptr,
                    true, gradient.grad_values + column, padded_d, kNr);
    }
  }
}

}  // namespace
}  // namespace lvrpo::LVRPO_KERNELS_NAME
