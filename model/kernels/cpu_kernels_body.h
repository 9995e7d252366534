// The kernels of model/kernels/cpu_kernels.h, included by one .cc per instruction set, which defines
// LVRPO_KERNELS_NAME (namespace and name). Everything is static and nothing of the standard library is
// called: the linker must never pick a function compiled here for a newer processor as the program's only
// copy.

#include <utility>  // integer_sequence, which has no code

#include "model/kernels/cpu_kernels.h"

namespace lvrpo::LVRPO_KERNELS_NAME {
namespace {

// Floats of a vector register, and the GEMM's micro-tile of MR x NR = kMr x kNr, whose accumulators fill the
// register file (model/kernels/README.md).
#if defined(__AVX512F__)
constexpr int64_t kWidth = 16;
constexpr int kMr = 12, kNrVectors = 2;
#elif defined(__AVX2__)
constexpr int64_t kWidth = 8;
constexpr int kMr = 6, kNrVectors = 2;
#else
constexpr int64_t kWidth = 4;
constexpr int kMr = 4, kNrVectors = 2;
#endif
constexpr int64_t kNr = kNrVectors * kWidth;

typedef float Vector __attribute__((vector_size(kWidth * 4)));
typedef int32_t Integers __attribute__((vector_size(kWidth * 4)));

#define LVRPO_INLINE static inline __attribute__((always_inline))

LVRPO_INLINE Vector Load(const float* from) {
  Vector v;
  __builtin_memcpy(&v, from, sizeof(v));
  return v;
}
LVRPO_INLINE void Store(float* to, const Vector& v) { __builtin_memcpy(to, &v, sizeof(v)); }
// The first `count` < kWidth lanes, the others zero.
LVRPO_INLINE Vector LoadSome(const float* from, int64_t count) {
  Vector v = {};
  __builtin_memcpy(&v, from, static_cast<uint64_t>(count) * sizeof(float));
  return v;
}
LVRPO_INLINE void StoreSome(float* to, const Vector& v, int64_t count) {
  __builtin_memcpy(to, &v, static_cast<uint64_t>(count) * sizeof(float));
}
LVRPO_INLINE Vector Broadcast(float x) { return Vector{} + x; }

template <int64_t kBy, uint64_t... kLane>
LVRPO_INLINE Vector RotateLanes(const Vector& v, std::integer_sequence<uint64_t, kLane...>) {
  return __builtin_shufflevector(v, v, ((kLane + kBy) % kWidth)...);
}
template <int64_t kHalf = kWidth / 2>
LVRPO_INLINE float Sum(const Vector& v) {
  if constexpr (kHalf == 0) {
    return v[0];
  } else {
    return Sum<kHalf / 2>(v + RotateLanes<kHalf>(v, std::make_integer_sequence<uint64_t, kWidth>()));
  }
}

// e^x, within 2 ulp; 0 below -87, clamped at 88. Cephes' expf: 2^k e^r with r in +-ln(2)/2, a polynomial of
// degree 6 for e^r.
LVRPO_INLINE Vector Exp(Vector x) {
  const Vector low = Broadcast(-87.33654f), high = Broadcast(88.02969f);
  const Integers under = x < low;
  x = x < low ? low : x;
  x = x > high ? high : x;
  const Vector magic = Broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const Vector k = (x * 1.44269504088896341f + magic) - magic;
  const Vector r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
  Vector p = Broadcast(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const Integers exponent = (__builtin_convertvector(k, Integers) + 127) << 23;
  Vector power;
  __builtin_memcpy(&power, &exponent, sizeof(power));
  return under ? Vector{} : p * power;
}

LVRPO_INLINE Vector Sigmoid(const Vector& x) { return 1.0f / (1.0f + Exp(-x)); }

// Calls work(load, store) for each whole vector of a row of n floats and once for the tail. `load` and
// `store` take a pointer to the row's start.
template <typename Work>
LVRPO_INLINE void ForEachVector(int64_t n, const Work& work) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    work([i](const float* p) { return Load(p + i); }, [i](float* p, const Vector& v) { Store(p + i, v); });
  }
  if (const int64_t rest = n - i; rest > 0) {
    work([i, rest](const float* p) { return LoadSome(p + i, rest); },
         [i, rest](float* p, const Vector& v) { StoreSome(p + i, v, rest); });
  }
}

void AddRmsNorm(const float* x, const float* delta, const float* weight, float eps, int64_t n, int64_t begin,
                int64_t end, float* sum, float* out, float* inverse) {
  for (int64_t row = begin; row < end; ++row) {
    const float* from = x + row * n;
    const float* added = delta == nullptr ? nullptr : delta + row * n;
    float* to = out + row * n;
    Vector squares = {};
    if (added != nullptr) {
      float* total = sum + row * n;
      ForEachVector(
          n, [&](auto load, auto store) __attribute__((always_inline)) {
            const Vector v = load(from) + load(added);
            store(total, v);
            squares += v * v;
          });
      from = total;
    } else {
      ForEachVector(
          n, [&](auto load, auto) __attribute__((always_inline)) {
            const Vector v = load(from);
            squares += v * v;
          });
    }
    const float scale = 1.0f / __builtin_sqrtf(Sum(squares) / static_cast<float>(n) + eps);
    inverse[row] = scale;
    ForEachVector(
        n, [&](auto load, auto store)
               __attribute__((always_inline)) { store(to, load(from) * scale * load(weight)); });
  }
}

void AddRmsNormBackward(const float* grad_out, const float* grad_sum, const float* sum, const float* weight,
                        const float* inverse, int64_t n, int64_t begin, int64_t end, float* grad_x,
                        float* grad_weight) {
  for (int64_t row = begin; row < end; ++row) {
    const float* g = grad_out + row * n;
    const float* s = sum + row * n;
    const float* direct = grad_sum == nullptr ? nullptr : grad_sum + row * n;
    float* to = grad_x + row * n;
    const float scale = inverse[row];
    Vector dots = {};
    ForEachVector(
        n, [&](auto load, auto) __attribute__((always_inline)) { dots += load(g) * load(weight) * load(s); });
    // d(s r w)/ds for r = 1 / rms: r (g w - s r^2 mean(g w s)).
    const float radial = Sum(dots) * scale * scale / static_cast<float>(n);
    ForEachVector(
        n, [&](auto load, auto store) __attribute__((always_inline)) {
          const Vector gs = load(g), ss = load(s);
          Vector value = (gs * load(weight) - ss * radial) * scale;
          if (direct != nullptr) value += load(direct);
          store(to, value);
          if (grad_weight != nullptr) store(grad_weight, load(grad_weight) + gs * ss * scale);
        });
  }
}

void Swiglu(const float* gate_up, int64_t n, int64_t begin, int64_t end, float* out) {
  for (int64_t row = begin; row < end; ++row) {
    const float* gate = gate_up + row * 2 * n;
    const float* up = gate + n;
    float* to = out + row * n;
    ForEachVector(
        n, [&](auto load, auto store) __attribute__((always_inline)) {
          const Vector g = load(gate);
          store(to, g * Sigmoid(g) * load(up));
        });
  }
}

void SwigluBackward(const float* grad_out, const float* gate_up, int64_t n, int64_t begin, int64_t end,
                    float* grad_gate_up) {
  for (int64_t row = begin; row < end; ++row) {
    const float* gate = gate_up + row * 2 * n;
    const float* up = gate + n;
    const float* grad = grad_out + row * n;
    float* to_gate = grad_gate_up + row * 2 * n;
    float* to_up = to_gate + n;
    ForEachVector(
        n, [&](auto load, auto store) __attribute__((always_inline)) {
          const Vector g = load(gate), y = load(grad), s = Sigmoid(g);
          store(to_gate, y * load(up) * s * (1.0f + g * (1.0f - s)));
          store(to_up, y * g * s);
        });
  }
}

// x / 2 (1 + tanh(u)) = x sigmoid(2 u) with u = sqrt(2 / pi) (x + .044715 x^3).
constexpr float kGeluLinear = 2 * 0.7978845608f, kGeluCubic = kGeluLinear * 0.044715f;

void Gelu(const float* x, int64_t n, int64_t begin, int64_t end, float* out) {
  ForEachVector((end - begin) * n, [&, from = x + begin * n, to = out + begin * n ](auto load, auto store)
                                       __attribute__((always_inline)) {
                                         const Vector v = load(from);
                                         store(to, v * Sigmoid(v * (kGeluLinear + kGeluCubic * v * v)));
                                       });
}

void GeluBackward(const float* grad_out, const float* x, int64_t n, int64_t begin, int64_t end,
                  float* grad_x) {
  ForEachVector((end - begin) * n,
                [&, from = x + begin * n, grad = grad_out + begin * n, to = grad_x + begin *
                 n ](auto load, auto store) __attribute__((always_inline)) {
                  const Vector v = load(from);
                  const Vector s = Sigmoid(v * (kGeluLinear + kGeluCubic * v * v));
                  const Vector slope = kGeluLinear + 3 * kGeluCubic * v * v;
                  store(to, load(grad) * (s + v * s * (1.0f - s) * slope));
                });
}

// 1 / rms of x [d].
LVRPO_INLINE float InverseRms(const float* x, int64_t d, float eps) {
  Vector squares = {};
  ForEachVector(
      d, [&](auto load, auto) __attribute__((always_inline)) {
        const Vector v = load(x);
        squares += v * v;
      });
  return 1.0f / __builtin_sqrtf(Sum(squares) / static_cast<float>(d) + eps);
}

void RotateHeads(const float* in, const float* norm_weight, float eps, const float* cosine, const float* sine,
                 int64_t heads, int64_t d, float* out, int64_t out_stride) {
  const int64_t half = d / 2;
  for (int64_t head = 0; head < heads; ++head) {
    const float* from = in + head * d;
    float* to = out + head * out_stride;
    const float scale = norm_weight == nullptr ? 1.0f : InverseRms(from, d, eps);
    ForEachVector(
        half, [&](auto load, auto store) __attribute__((always_inline)) {
          Vector a = load(from), b = load(from + half);
          if (norm_weight != nullptr) {
            a = a * scale * load(norm_weight);
            b = b * scale * load(norm_weight + half);
          }
          if (cosine != nullptr) {
            const Vector c = load(cosine), s = load(sine), rotated = a * c - b * s;
            b = b * c + a * s;
            a = rotated;
          }
          store(to, a);
          store(to + half, b);
        });
  }
}

void RotateHeadsBackward(const float* grad_out, int64_t grad_stride, const float* in,
                         const float* norm_weight, float eps, const float* cosine, const float* sine,
                         int64_t heads, int64_t d, float* grad_in, float* grad_norm_weight) {
  const int64_t half = d / 2;
  for (int64_t head = 0; head < heads; ++head) {
    const float* g = grad_out + head * grad_stride;
    const float* x = in + head * d;
    float* to = grad_in + head * d;
    // Inverse rotation: the gradient of the normalised head.
    ForEachVector(
        half, [&](auto load, auto store) __attribute__((always_inline)) {
          Vector a = load(g), b = load(g + half);
          if (cosine != nullptr) {
            const Vector c = load(cosine), s = load(sine), rotated = a * c + b * s;
            b = b * c - a * s;
            a = rotated;
          }
          store(to, a);
          store(to + half, b);
        });
    if (norm_weight == nullptr) continue;
    const float scale = InverseRms(x, d, eps);
    Vector dots = {};
    ForEachVector(
        d, [&](auto load, auto)
               __attribute__((always_inline)) { dots += load(to) * load(norm_weight) * load(x); });
    const float radial = Sum(dots) * scale * scale / static_cast<float>(d);
    ForEachVector(
        d, [&](auto load, auto store) __attribute__((always_inline)) {
          const Vector gs = load(to), xs = load(x);
          if (grad_norm_weight != nullptr) store(grad_norm_weight, load(grad_norm_weight) + gs * xs * scale);
          store(to, (gs * load(norm_weight) - xs * radial) * scale);
        });
  }
}

// The lanes of a and b interleaved: of their low halves (kHalf 0) or their high ones (1).
template <int64_t kHalf, uint64_t... kLane>
LVRPO_INLINE Vector InterleaveHalves(const Vector& a, const Vector& b,
                                     std::integer_sequence<uint64_t, kLane...>) {
  return __builtin_shufflevector(a, b, (kHalf * (kWidth / 2) + kLane / 2 + kLane % 2 * kWidth)...);
}

// In-register transpose: log2(kWidth) rounds of interleaving.
LVRPO_INLINE void Transpose(Vector (&rows)[kWidth]) {
  constexpr auto kLanes = std::make_integer_sequence<uint64_t, kWidth>();
  for (int64_t round = 1; round < kWidth; round *= 2) {
    Vector mixed[kWidth];
    for (int64_t i = 0; i < kWidth / 2; ++i) {
      mixed[2 * i] = InterleaveHalves<0>(rows[i], rows[i + kWidth / 2], kLanes);
      mixed[2 * i + 1] = InterleaveHalves<1>(rows[i], rows[i + kWidth / 2], kLanes);
    }
    for (int64_t i = 0; i < kWidth; ++i) rows[i] = mixed[i];
  }
}

void Pack(const float* weight, int64_t row_stride, int64_t columns, int64_t depth, float* packed) {
  for (int64_t first = 0; first < columns; first += kWidth) {
    const int64_t count = columns - first < kWidth ? columns - first : kWidth;
    float* to = packed + first / kNr * kNr * depth + first % kNr;
    for (int64_t k = 0; k < depth; k += kWidth) {
      const int64_t depths = depth - k < kWidth ? depth - k : kWidth;
      Vector rows[kWidth] = {};
      for (int64_t i = 0; i < count; ++i) {
        const float* from = weight + (first + i) * row_stride + k;
        rows[i] = depths == kWidth ? Load(from) : LoadSome(from, depths);
      }
      Transpose(rows);
      for (int64_t i = 0; i < depths; ++i) Store(to + (k + i) * kNr, rows[i]);
    }
  }
  // Pads the last panel with zero vectors.
  for (int64_t first = (columns + kWidth - 1) / kWidth * kWidth; first % kNr != 0; first += kWidth) {
    float* to = packed + first / kNr * kNr * depth + first % kNr;
    for (int64_t k = 0; k < depth; ++k) Store(to + k * kNr, Vector{});
  }
}

// The micro-kernel: out[kRows, up to NR columns] = bias + x panel over `depth`. x[row, k] is at x[row *
// stride + k * k_stride]; panel [depth, NR], rows panel_stride apart. The accumulators start from `bias`
// (null: 0) or, with `accumulate`, from `out`.
template <int kRows>
static void MicroKernel(const float* x, int64_t stride, int64_t k_stride, int64_t depth, const float* panel,
                        int64_t panel_stride, const float* bias, bool accumulate, float* out,
                        int64_t out_stride, int64_t columns) {
  Vector acc[kRows][kNrVectors];
  for (int v = 0; v < kNrVectors; ++v) {
    const Vector start = bias == nullptr ? Vector{} : Load(bias + v * kWidth);
    const int64_t left = columns - v * kWidth;
    for (int row = 0; row < kRows; ++row) {
      const float* from = out + row * out_stride + v * kWidth;
      acc[row][v] = !accumulate      ? start
                    : left >= kWidth ? Load(from)
                    : left > 0       ? LoadSome(from, left)
                                     : start;
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    Vector b[kNrVectors];
    for (int v = 0; v < kNrVectors; ++v) b[v] = Load(panel + k * panel_stride + v * kWidth);
#pragma GCC unroll 12
    for (int row = 0; row < kRows; ++row) {
      const Vector a = Broadcast(x[row * stride + k * k_stride]);
      for (int v = 0; v < kNrVectors; ++v) acc[row][v] += a * b[v];
    }
  }
  for (int row = 0; row < kRows; ++row) {
    for (int v = 0; v < kNrVectors; ++v) {
      float* to = out + row * out_stride + v * kWidth;
      const int64_t left = columns - v * kWidth;
      if (left >= kWidth) {
        Store(to, acc[row][v]);
      } else if (left > 0) {
        StoreSome(to, acc[row][v], left);
      }
    }
  }
}

// The IR loop: one panel for all rows, in micro-tiles of kRows rows, then of fewer for the remainder.
template <int kRows>
static void GemmRows(const float* x, int64_t stride, int64_t k_stride, int64_t depth, int64_t rows,
                     const float* panel, int64_t panel_stride, const float* bias, bool accumulate, float* out,
                     int64_t out_stride, int64_t columns) {
  for (; rows >= kRows; rows -= kRows, x += kRows * stride, out += kRows * out_stride)
    MicroKernel<kRows>(x, stride, k_stride, depth, panel, panel_stride, bias, accumulate, out, out_stride,
                       columns);
  if constexpr (kRows > 1) {
    if (rows > 0)
      GemmRows<kRows - 1>(x, stride, k_stride, depth, rows, panel, panel_stride, bias, accumulate, out,
                          out_stride, columns);
  }
}

// From depth kMinBlockedDepth on, x is packed in blocks of at most MC x KC = kMc x kKc floats, which stay in
// L2 together with a panel's KC x NR (some 700 KiB with AVX-512, half of it with AVX2). Unpacked rows would
// evict each other from L2, and rows a multiple of 4 KiB apart would share the same sets of L1.
constexpr int64_t kMinBlockedDepth = 512, kKc = 768, kMc = 17 * kMr;

// Packs kRows rows into a micro-panel [depth, kRows].
template <int kRows>
static void PackMicroPanel(const float* x, int64_t stride, int64_t depth, float* to) {
  for (int64_t k = 0; k < depth; k += kWidth) {
    const int64_t count = depth - k < kWidth ? depth - k : kWidth;
    for (int row = 0; row < kRows; ++row) {
      for (int64_t i = 0; i < count; ++i) to[(k + i) * kRows + row] = x[row * stride + k + i];
    }
  }
}
template <int kRows>
static void PackRows(const float* x, int64_t stride, int64_t depth, int64_t rows, float* to) {
  for (; rows >= kRows; rows -= kRows, x += kRows * stride, to += kRows * depth)
    PackMicroPanel<kRows>(x, stride, depth, to);
  if constexpr (kRows > 1) {
    if (rows > 0) PackRows<kRows - 1>(x, stride, depth, rows, to);
  }
}
// GemmRows over rows packed by PackRows.
template <int kRows>
static void GemmPackedRows(const float* x, int64_t depth, int64_t rows, const float* panel, const float* bias,
                           bool accumulate, float* out, int64_t out_stride, int64_t columns) {
  for (; rows >= kRows; rows -= kRows, x += kRows * depth, out += kRows * out_stride)
    MicroKernel<kRows>(x, 1, kRows, depth, panel, kNr, bias, accumulate, out, out_stride, columns);
  if constexpr (kRows > 1) {
    if (rows > 0)
      GemmPackedRows<kRows - 1>(x, depth, rows, panel, bias, accumulate, out, out_stride, columns);
  }
}

static void MultiplyBlocked(const float* x, int64_t depth, int64_t begin, int64_t end, const float* packed,
                            const float* bias, int64_t columns, int64_t first_panel, int64_t last_panel,
                            float* out, int64_t out_stride) {
  alignas(64) float packed_x[kMc * kKc];
  const int64_t blocks = (depth + kKc - 1) / kKc, kc = (depth + blocks - 1) / blocks;
  for (int64_t row = begin; row < end; row += kMc) {  // IC
    const int64_t rows = end - row < kMc ? end - row : kMc;
    for (int64_t k = 0; k < depth; k += kc) {  // PC
      const int64_t count = depth - k < kc ? depth - k : kc;
      PackRows<kMr>(x + row * depth + k, depth, count, rows, packed_x);
      for (int64_t panel = first_panel; panel < last_panel; ++panel) {  // JR
        const int64_t column = panel * kNr;
        GemmPackedRows<kMr>(packed_x, count, rows, packed + column * depth + k * kNr,
                            bias == nullptr ? nullptr : bias + column, k > 0, out + row * out_stride + column,
                            out_stride, columns - column);
      }
    }
  }
}

void Multiply(const float* x, int64_t depth, int64_t begin, int64_t end, const float* packed,
              const float* bias, int64_t columns, int64_t first_panel, int64_t last_panel, float* out,
              int64_t out_stride) {
  // Packing x pays off when enough rows and columns reuse it.
  if (depth >= kMinBlockedDepth && end - begin >= kMr && last_panel - first_panel >= 4) {
    MultiplyBlocked(x, depth, begin, end, packed, bias, columns, first_panel, last_panel, out, out_stride);
    return;
  }
  // Unpacked blocks of rows, 256 KiB, that stay in L2 while all panels stream by.
  const int64_t fitting = 65536 / depth / kMr * kMr, block = fitting > 0 ? fitting : kMr;
  for (int64_t row = begin; row < end; row += block) {
    const int64_t rows = end - row < block ? end - row : block;
    for (int64_t panel = first_panel; panel < last_panel; ++panel) {
      const int64_t column = panel * kNr;
      GemmRows<kMr>(x + row * depth, depth, 1, depth, rows, packed + column * depth, kNr,
                    bias == nullptr ? nullptr : bias + column, false, out + row * out_stride + column,
                    out_stride, columns - column);
    }
  }
}

// Attention of a decode step: one pass over keys and values for up to kQueries queries, in blocks of
// kBlockVectors vectors along head_dim.
constexpr int kBlockVectors = 4;

// scores[query, key] += q . k over one block of head_dim, at `q` and `k`; rows are d apart.
template <int kQueries>
static void AccumulateScores(const float* q, const float* k, int64_t length, int64_t d, float* scores,
                             int64_t stride) {
  Vector queries[kQueries][kBlockVectors];
  for (int i = 0; i < kQueries; ++i) {
    for (int v = 0; v < kBlockVectors; ++v) queries[i][v] = Load(q + i * d + v * kWidth);
  }
  for (int64_t key = 0; key < length; ++key) {
    Vector keys[kBlockVectors];
    for (int v = 0; v < kBlockVectors; ++v) keys[v] = Load(k + key * d + v * kWidth);
    for (int i = 0; i < kQueries; ++i) {
      scores[i * stride + key] += Sum((queries[i][0] * keys[0] + queries[i][1] * keys[1]) +
                                      (queries[i][2] * keys[2] + queries[i][3] * keys[3]));
    }
  }
}

// out[query] = sum over keys of probs[query, key] v[key], over one block of head_dim.
template <int kQueries>
static void WeightedSum(const float* probs, int64_t stride, const float* v, int64_t length, int64_t d,
                        float* out) {
  Vector acc[kQueries][kBlockVectors] = {};
  for (int64_t key = 0; key < length; ++key) {
    for (int b = 0; b < kBlockVectors; ++b) {
      const Vector value = Load(v + key * d + b * kWidth);
      for (int i = 0; i < kQueries; ++i) acc[i][b] += value * probs[i * stride + key];
    }
  }
  for (int i = 0; i < kQueries; ++i) {
    for (int b = 0; b < kBlockVectors; ++b) Store(out + i * d + b * kWidth, acc[i][b]);
  }
}

template <int kQueries>
static void AttendGroup(const float* q, const float* k, const float* v, int64_t length, int64_t d,
                        float scale, float* scores, float* out) {
  const int64_t stride = length + kWidth, whole = d / (kBlockVectors * kWidth) * (kBlockVectors * kWidth);
  for (int i = 0; i < kQueries; ++i) {
    for (int64_t key = 0; key < length; ++key) scores[i * stride + key] = 0;
  }
  for (int64_t at = 0; at < whole; at += kBlockVectors * kWidth)
    AccumulateScores<kQueries>(q + at, k + at, length, d, scores, stride);
  for (int i = 0; i < kQueries; ++i) {
    float* row = scores + i * stride;
    if (whole < d) {
      for (int64_t key = 0; key < length; ++key) {
        Vector dots = {};
        ForEachVector(
            d - whole, [&](auto load, auto) __attribute__((always_inline)) {
              dots += load(q + i * d + whole) * load(k + key * d + whole);
            });
        row[key] += Sum(dots);
      }
    }
    float row_max = row[0];
    for (int64_t key = 1; key < length; ++key) row_max = row[key] > row_max ? row[key] : row_max;
    // Softmax: exp(scale (score - row_max)), divided by its sum.
    ForEachVector(
        length, [&](auto load, auto store)
                    __attribute__((always_inline)) { store(row, Exp((load(row) - row_max) * scale)); });
    Vector total = {};
    ForEachVector(
        length, [&](auto load, auto) __attribute__((always_inline)) { total += load(row); });
    const float inverse_sum = 1.0f / Sum(total);
    ForEachVector(
        length, [&](auto load, auto store)
                    __attribute__((always_inline)) { store(row, load(row) * inverse_sum); });
  }
  for (int64_t at = 0; at < whole; at += kBlockVectors * kWidth)
    WeightedSum<kQueries>(scores, stride, v + at, length, d, out + at);
  if (whole == d) return;
  for (int i = 0; i < kQueries; ++i) {
    ForEachVector(
        d - whole, [&](auto load, auto store) __attribute__((always_inline)) {
          Vector acc = {};
          for (int64_t key = 0; key < length; ++key)
            acc += load(v + key * d + whole) * scores[i * stride + key];
          store(out + i * d + whole, acc);
        });
  }
}

void Attend(const float* q, int64_t queries, const float* k, const float* v, int64_t length, int64_t d,
            float scale, float* scores, float* out) {
  for (; queries >= 4; queries -= 4, q += 4 * d, out += 4 * d)
    AttendGroup<4>(q, k, v, length, d, scale, scores, out);
  for (; queries >= 2; queries -= 2, q += 2 * d, out += 2 * d)
    AttendGroup<2>(q, k, v, length, d, scale, scores, out);
  if (queries > 0) AttendGroup<1>(q, k, v, length, d, scale, scores, out);
}

}  // namespace
}  // namespace lvrpo::LVRPO_KERNELS_NAME

#include "model/kernels/cpu_attention_body.h"

namespace lvrpo::LVRPO_KERNELS_NAME {

#define LVRPO_TEXT2(x) #x
#define LVRPO_TEXT(x) LVRPO_TEXT2(x)
extern const CpuKernels kKernels = {.name = LVRPO_TEXT(LVRPO_KERNELS_NAME),
                                    .add_rms_norm = AddRmsNorm,
                                    .add_rms_norm_backward = AddRmsNormBackward,
                                    .swiglu = Swiglu,
                                    .swiglu_backward = SwigluBackward,
                                    .gelu = Gelu,
                                    .gelu_backward = GeluBackward,
                                    .rotate_heads = RotateHeads,
                                    .rotate_heads_backward = RotateHeadsBackward,
                                    .nr = kNr,
                                    .pack = Pack,
                                    .multiply = Multiply,
                                    .attend = Attend,
                                    .query_rows = kQueryRows,
                                    .attend_rows = AttendRows,
                                    .attend_rows_backward = AttendRowsBackward};

}  // namespace lvrpo::LVRPO_KERNELS_NAME
