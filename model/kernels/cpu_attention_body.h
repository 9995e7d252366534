// Attention of many queries, from the tiles of cpu_kernels_body.h, which includes this file.

namespace lvrpo::LVRPO_KERNELS_NAME {
namespace {

// Queries that go through all keys together: their scores stay in the cache.
constexpr int64_t kQueryRows = 2 * kTileRows;
// The score of a key that is not seen: its exponential is 0 beside any other.
constexpr float kUnseen = -3e38f;

LVRPO_INLINE int64_t WholePanels(int64_t n) { return (n + kPanel - 1) / kPanel * kPanel; }

template <int64_t kHalf = kWidth / 2>
LVRPO_INLINE float Largest(const Vector& v) {
  if constexpr (kHalf == 0) {
    return v[0];
  } else {
    const Vector other = Rotated<kHalf>(v, std::make_integer_sequence<uint64_t, kWidth>());
    return Largest<kHalf / 2>(v > other ? v : other);
  }
}

// scores[row, key] = x[row] . key for rows of x and vectors in pack's order; rows are WholePanels(length)
// apart, and what fills them up is whatever pack filled with.
static void Scores(const float* x, int64_t stride, int64_t rows, const float* packed, int64_t length,
                   int64_t d, float* scores) {
  const int64_t width = WholePanels(length);
  for (int64_t key = 0; key < width; key += kPanel) {
    Tiles<kTileRows>(x, stride, 1, d, rows, packed + key * d, kPanel, nullptr, false, scores + key, width,
                     kPanel);
  }
}

// Keys that do not count.
static void Hide(const AttentionHead& head, int64_t first, int64_t rows, float* scores) {
  const int64_t width = WholePanels(head.length);
  for (int64_t row = 0; row < rows; ++row) {
    float* own = scores + row * width;
    for (int64_t key = head.length; key < width; ++key) own[key] = kUnseen;
    if (head.seen == nullptr) continue;
    const uint8_t* seen = head.seen + (first + row) * head.seen_stride;
    for (int64_t key = 0; key < head.length; ++key) own[key] = seen[key] != 0 ? own[key] : kUnseen;
  }
}

void AttendRows(const AttentionHead& head, float* scores, float* out, int64_t out_stride, float* stats) {
  const int64_t d = head.d, filled = WholePanels(d), width = WholePanels(head.length);
  for (int64_t first = 0; first < head.queries; first += kQueryRows) {
    const int64_t rows = head.queries - first < kQueryRows ? head.queries - first : kQueryRows;
    Scores(head.q + first * head.q_stride, head.q_stride, rows, head.packed_keys, head.length, d, scores);
    Hide(head, first, rows, scores);
    for (int64_t row = 0; row < rows; ++row) {
      float* own = scores + row * width;
      Vector most = Load(own);
      for (int64_t key = kWidth; key < width; key += kWidth) {
        const Vector score = Load(own + key);
        most = score > most ? score : most;
      }
      const float largest = Largest(most);
      Vector total = {};
      for (int64_t key = 0; key < width; key += kWidth) {
        const Vector share = Exp((Load(own + key) - largest) * head.scale);
        Store(own + key, share);
        total += share;
      }
      stats[2 * (first + row)] = largest;
      stats[2 * (first + row) + 1] = largest == kUnseen ? 0 : 1.0f / Sum(total);
    }
    float* to = out + first * out_stride;
    for (int64_t column = 0; column < d; column += kPanel) {
      Tiles<kTileRows>(scores, width, 1, head.length, rows, head.values + column, filled, nullptr, false,
                       to + column, out_stride, d - column);
    }
    for (int64_t row = 0; row < rows; ++row) {
      const float share = stats[2 * (first + row) + 1];
      ForEachVector(
          d, [&, own = to + row * out_stride ](auto load, auto store)
                 __attribute__((always_inline)) { store(own, load(own) * share); });
    }
  }
}

// With P the shares and dP = dO V^T: dV = P^T dO, dS = scale P (dP - rowsum(dO O)), dQ = dS K, dK = dS^T Q.
void AttendRowsBackward(const AttentionHead& head, const AttentionGradient& gradient, float* scratch) {
  const int64_t d = head.d, filled = WholePanels(d), width = WholePanels(head.length);
  float *shares = scratch, *slopes = shares + kQueryRows * width, *queries = slopes + kQueryRows * width,
        *grads = queries + kQueryRows * filled;
  for (int64_t i = 0; i < kQueryRows * filled; ++i) queries[i] = grads[i] = 0;
  for (int64_t first = 0; first < head.queries; first += kQueryRows) {
    const int64_t rows = head.queries - first < kQueryRows ? head.queries - first : kQueryRows;
    const float *q = head.q + first * head.q_stride,
                *grad_out = gradient.grad_out + first * gradient.out_stride,
                *out = gradient.out + first * gradient.out_stride;
    Scores(q, head.q_stride, rows, head.packed_keys, head.length, d, shares);
    Hide(head, first, rows, shares);
    Scores(grad_out, gradient.out_stride, rows, gradient.packed_values, head.length, d, slopes);
    for (int64_t row = 0; row < rows; ++row) {
      const float *grad_row = grad_out + row * gradient.out_stride,
                  *out_row = out + row * gradient.out_stride, *query = q + row * head.q_stride;
      float *query_copy = queries + row * filled, *grad_copy = grads + row * filled;
      Vector products = {};
      ForEachVector(
          d, [&](auto load, auto store) __attribute__((always_inline)) {
            const Vector grad = load(grad_row);
            products += grad * load(out_row);
            store(grad_copy, grad);
            store(query_copy, load(query));
          });
      const float along = Sum(products), largest = gradient.stats[2 * (first + row)],
                  share = gradient.stats[2 * (first + row) + 1];
      float *own = shares + row * width, *slope = slopes + row * width;
      for (int64_t key = 0; key < width; key += kWidth) {
        const Vector p = Exp((Load(own + key) - largest) * head.scale) * share;
        Store(own + key, p);
        Store(slope + key, p * (Load(slope + key) - along) * head.scale);
      }
    }
    for (int64_t column = 0; column < d; column += kPanel) {
      Tiles<kTileRows>(slopes, width, 1, head.length, rows, gradient.keys + column, filled, nullptr, false,
                       gradient.grad_q + first * gradient.grad_q_stride + column, gradient.grad_q_stride,
                       d - column);
      Tiles<kTileRows>(slopes, 1, width, rows, head.length, queries + column, filled, nullptr, true,
                       gradient.grad_keys + column, filled, kPanel);
      Tiles<kTileRows>(shares, 1, width, rows, head.length, grads + column, filled, nullptr, true,
                       gradient.grad_values + column, filled, kPanel);
    }
  }
}

}  // namespace
}  // namespace lvrpo::LVRPO_KERNELS_NAME
