// The kernels of model/kernels/cpu_kernels.h, for inclusion by one .cc an instruction set, which defines
// LVRPO_KERNELS_NAME (a namespace and a name). Nothing from the standard library is called and everything is
// static: a function compiled here for a newer processor must not be the one that the linker picks for all.

#include <utility>  // integer_sequence, which has no code

#include "model/kernels/cpu_kernels.h"

namespace lvrpo::LVRPO_KERNELS_NAME {
namespace {

// A register of numbers; and for products, how many of them a panel is wide and how many rows of x go through
// it at once: as many sums as there are registers for.
#if defined(__AVX512F__)
constexpr int64_t kWidth = 16;
constexpr int kPanelVectors = 2, kTileRows = 12;
#elif defined(__AVX2__)
constexpr int64_t kWidth = 8;
constexpr int kPanelVectors = 2, kTileRows = 6;
#else
constexpr int64_t kWidth = 4;
constexpr int kPanelVectors = 2, kTileRows = 4;
#endif
constexpr int64_t kPanel = kPanelVectors * kWidth;

typedef float Vector __attribute__((vector_size(kWidth * 4)));
typedef int32_t Integers __attribute__((vector_size(kWidth * 4)));

#define LVRPO_INLINE static inline __attribute__((always_inline))

LVRPO_INLINE Vector Load(const float* from) {
  Vector v;
  __builtin_memcpy(&v, from, sizeof(v));
  return v;
}
LVRPO_INLINE void Store(float* to, const Vector& v) { __builtin_memcpy(to, &v, sizeof(v)); }
// `count` < kWidth numbers; zeros behind them.
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
LVRPO_INLINE Vector Rotated(const Vector& v, std::integer_sequence<uint64_t, kLane...>) {
  return __builtin_shufflevector(v, v, ((kLane + kBy) % kWidth)...);
}
template <int64_t kHalf = kWidth / 2>
LVRPO_INLINE float Sum(const Vector& v) {
  if constexpr (kHalf == 0) {
    return v[0];
  } else {
    return Sum<kHalf / 2>(v + Rotated<kHalf>(v, std::make_integer_sequence<uint64_t, kWidth>()));
  }
}

// e^x, within 2 units in the last place; 0 below -87 and the largest at 88. Cephes' expf: 2^k e^r with r in
// +-ln(2)/2, a polynomial of degree 6 for e^r.
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

// Calls work(offset, load, store) for each whole vector of n numbers and once for the rest. `load` and
// `store` take a pointer to the row's first number.
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
    const float along = Sum(dots) * scale * scale / static_cast<float>(n);
    ForEachVector(
        n, [&](auto load, auto store) __attribute__((always_inline)) {
          const Vector gs = load(g), ss = load(s);
          Vector value = (gs * load(weight) - ss * along) * scale;
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

// 1 / rms of d numbers.
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
            const Vector c = load(cosine), s = load(sine), turned = a * c - b * s;
            b = b * c + a * s;
            a = turned;
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
    // Turned back: the gradient of the normalised head.
    ForEachVector(
        half, [&](auto load, auto store) __attribute__((always_inline)) {
          Vector a = load(g), b = load(g + half);
          if (cosine != nullptr) {
            const Vector c = load(cosine), s = load(sine), turned = a * c + b * s;
            b = b * c - a * s;
            a = turned;
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
    const float along = Sum(dots) * scale * scale / static_cast<float>(d);
    ForEachVector(
        d, [&](auto load, auto store) __attribute__((always_inline)) {
          const Vector gs = load(to), xs = load(x);
          if (grad_norm_weight != nullptr) store(grad_norm_weight, load(grad_norm_weight) + gs * xs * scale);
          store(to, (gs * load(norm_weight) - xs * along) * scale);
        });
  }
}

// The numbers of a and b in turns, from their first or second half.
template <int64_t kHalf, uint64_t... kLane>
LVRPO_INLINE Vector InTurns(const Vector& a, const Vector& b, std::integer_sequence<uint64_t, kLane...>) {
  return __builtin_shufflevector(a, b, (kHalf * (kWidth / 2) + kLane / 2 + kLane % 2 * kWidth)...);
}

// Rows become columns: each round turns the digits of a number's place, row before column, by one.
LVRPO_INLINE void Transpose(Vector (&rows)[kWidth]) {
  constexpr auto kLanes = std::make_integer_sequence<uint64_t, kWidth>();
  for (int64_t round = 1; round < kWidth; round *= 2) {
    Vector turned[kWidth];
    for (int64_t i = 0; i < kWidth / 2; ++i) {
      turned[2 * i] = InTurns<0>(rows[i], rows[i + kWidth / 2], kLanes);
      turned[2 * i + 1] = InTurns<1>(rows[i], rows[i + kWidth / 2], kLanes);
    }
    for (int64_t i = 0; i < kWidth; ++i) rows[i] = turned[i];
  }
}

void Pack(const float* weight, int64_t stride, int64_t columns, int64_t depth, float* packed) {
  for (int64_t first = 0; first < columns; first += kWidth) {
    const int64_t count = columns - first < kWidth ? columns - first : kWidth;
    float* to = packed + first / kPanel * kPanel * depth + first % kPanel;
    for (int64_t k = 0; k < depth; k += kWidth) {
      const int64_t numbers = depth - k < kWidth ? depth - k : kWidth;
      Vector rows[kWidth] = {};
      for (int64_t i = 0; i < count; ++i) {
        const float* from = weight + (first + i) * stride + k;
        rows[i] = numbers == kWidth ? Load(from) : LoadSome(from, numbers);
      }
      Transpose(rows);
      for (int64_t i = 0; i < numbers; ++i) Store(to + (k + i) * kPanel, rows[i]);
    }
  }
  // Vectors of the last panel that have no column.
  for (int64_t first = (columns + kWidth - 1) / kWidth * kWidth; first % kPanel != 0; first += kWidth) {
    float* to = packed + first / kPanel * kPanel * depth + first % kPanel;
    for (int64_t k = 0; k < depth; ++k) Store(to + k * kPanel, Vector{});
  }
}

// out[kRows, columns of a panel] from `from`, kRows rows of which the next number of a row is `step` on and
// the next row `stride`; the panel's rows are `panel_stride` apart. The sums begin with `bias` (null: 0), or,
// when `begun`, with what out holds already.
template <int kRows>
static void Tile(const float* x, int64_t stride, int64_t step, int64_t depth, const float* panel,
                 int64_t panel_stride, const float* bias, bool begun, float* out, int64_t out_stride,
                 int64_t columns) {
  Vector sums[kRows][kPanelVectors];
  for (int v = 0; v < kPanelVectors; ++v) {
    const Vector start = bias == nullptr ? Vector{} : Load(bias + v * kWidth);
    const int64_t left = columns - v * kWidth;
    for (int row = 0; row < kRows; ++row) {
      const float* kept = out + row * out_stride + v * kWidth;
      sums[row][v] = !begun ? start : left >= kWidth ? Load(kept) : left > 0 ? LoadSome(kept, left) : start;
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    Vector weights[kPanelVectors];
    for (int v = 0; v < kPanelVectors; ++v) weights[v] = Load(panel + k * panel_stride + v * kWidth);
#pragma GCC unroll 12
    for (int row = 0; row < kRows; ++row) {
      const Vector factor = Broadcast(x[row * stride + k * step]);
      for (int v = 0; v < kPanelVectors; ++v) sums[row][v] += factor * weights[v];
    }
  }
  for (int row = 0; row < kRows; ++row) {
    for (int v = 0; v < kPanelVectors; ++v) {
      float* to = out + row * out_stride + v * kWidth;
      const int64_t left = columns - v * kWidth;
      if (left >= kWidth) {
        Store(to, sums[row][v]);
      } else if (left > 0) {
        StoreSome(to, sums[row][v], left);
      }
    }
  }
}

// Tiles of kRows rows, then what is left in smaller ones.
template <int kRows>
static void Tiles(const float* x, int64_t stride, int64_t step, int64_t depth, int64_t rows,
                  const float* panel, int64_t panel_stride, const float* bias, bool begun, float* out,
                  int64_t out_stride, int64_t columns) {
  for (; rows >= kRows; rows -= kRows, x += kRows * stride, out += kRows * out_stride)
    Tile<kRows>(x, stride, step, depth, panel, panel_stride, bias, begun, out, out_stride, columns);
  if constexpr (kRows > 1) {
    if (rows > 0)
      Tiles<kRows - 1>(x, stride, step, depth, rows, panel, panel_stride, bias, begun, out, out_stride,
                       columns);
  }
}

// Long rows are taken in pieces of at most kPiece numbers, for kPieceRows rows at a time, which are put in
// the order in which tiles read them: a piece of a panel and the rows then stay in the second cache (some 700
// KiB with AVX-512, half of it with AVX2), where whole rows would push each other out of it, and, a multiple
// of 4 KiB apart, out of the same lines of the first.
constexpr int64_t kLongRow = 512, kPiece = 768, kPieceRows = 17 * kTileRows;

// [depth][kRows] out of kRows rows.
template <int kRows>
static void Interleave(const float* x, int64_t stride, int64_t depth, float* to) {
  for (int64_t k = 0; k < depth; k += kWidth) {
    const int64_t count = depth - k < kWidth ? depth - k : kWidth;
    for (int row = 0; row < kRows; ++row) {
      for (int64_t i = 0; i < count; ++i) to[(k + i) * kRows + row] = x[row * stride + k + i];
    }
  }
}
template <int kRows>
static void InterleaveTiles(const float* x, int64_t stride, int64_t depth, int64_t rows, float* to) {
  for (; rows >= kRows; rows -= kRows, x += kRows * stride, to += kRows * depth)
    Interleave<kRows>(x, stride, depth, to);
  if constexpr (kRows > 1) {
    if (rows > 0) InterleaveTiles<kRows - 1>(x, stride, depth, rows, to);
  }
}
// Tiles of rows that are interleaved so.
template <int kRows>
static void InterleavedTiles(const float* x, int64_t depth, int64_t rows, const float* panel,
                             const float* bias, bool begun, float* out, int64_t out_stride, int64_t columns) {
  for (; rows >= kRows; rows -= kRows, x += kRows * depth, out += kRows * out_stride)
    Tile<kRows>(x, 1, kRows, depth, panel, kPanel, bias, begun, out, out_stride, columns);
  if constexpr (kRows > 1) {
    if (rows > 0) InterleavedTiles<kRows - 1>(x, depth, rows, panel, bias, begun, out, out_stride, columns);
  }
}

static void MultiplyInPieces(const float* x, int64_t depth, int64_t begin, int64_t end, const float* packed,
                             const float* bias, int64_t columns, int64_t first_panel, int64_t last_panel,
                             float* out, int64_t out_stride) {
  alignas(64) float rows_of_piece[kPieceRows * kPiece];
  const int64_t pieces = (depth + kPiece - 1) / kPiece, piece = (depth + pieces - 1) / pieces;
  for (int64_t row = begin; row < end; row += kPieceRows) {
    const int64_t rows = end - row < kPieceRows ? end - row : kPieceRows;
    for (int64_t k = 0; k < depth; k += piece) {
      const int64_t count = depth - k < piece ? depth - k : piece;
      InterleaveTiles<kTileRows>(x + row * depth + k, depth, count, rows, rows_of_piece);
      for (int64_t panel = first_panel; panel < last_panel; ++panel) {
        const int64_t column = panel * kPanel;
        InterleavedTiles<kTileRows>(rows_of_piece, count, rows, packed + column * depth + k * kPanel,
                                    bias == nullptr ? nullptr : bias + column, k > 0,
                                    out + row * out_stride + column, out_stride, columns - column);
      }
    }
  }
}

void Multiply(const float* x, int64_t depth, int64_t begin, int64_t end, const float* packed,
              const float* bias, int64_t columns, int64_t first_panel, int64_t last_panel, float* out,
              int64_t out_stride) {
  // Worth its order when enough rows and columns use it.
  if (depth >= kLongRow && end - begin >= kTileRows && last_panel - first_panel >= 4) {
    MultiplyInPieces(x, depth, begin, end, packed, bias, columns, first_panel, last_panel, out, out_stride);
    return;
  }
  // As many rows at a time as stay in the second cache while all panels pass by: 256 KiB of them.
  const int64_t fitting = 65536 / depth / kTileRows * kTileRows, block = fitting > 0 ? fitting : kTileRows;
  for (int64_t row = begin; row < end; row += block) {
    const int64_t rows = end - row < block ? end - row : block;
    for (int64_t panel = first_panel; panel < last_panel; ++panel) {
      const int64_t column = panel * kPanel;
      Tiles<kTileRows>(x + row * depth, depth, 1, depth, rows, packed + column * depth, kPanel,
                       bias == nullptr ? nullptr : bias + column, false, out + row * out_stride + column,
                       out_stride, columns - column);
    }
  }
}

// Attention goes through keys and values once for up to kQueries queries, kBlock vectors of each at a time.
constexpr int kBlock = 4;

// scores[query, key] += q k over kBlock vectors of both, which start at `q` and `k`; rows are d apart.
template <int kQueries>
static void Dots(const float* q, const float* k, int64_t length, int64_t d, float* scores, int64_t stride) {
  Vector queries[kQueries][kBlock];
  for (int i = 0; i < kQueries; ++i) {
    for (int v = 0; v < kBlock; ++v) queries[i][v] = Load(q + i * d + v * kWidth);
  }
  for (int64_t key = 0; key < length; ++key) {
    Vector keys[kBlock];
    for (int v = 0; v < kBlock; ++v) keys[v] = Load(k + key * d + v * kWidth);
    for (int i = 0; i < kQueries; ++i) {
      scores[i * stride + key] += Sum((queries[i][0] * keys[0] + queries[i][1] * keys[1]) +
                                      (queries[i][2] * keys[2] + queries[i][3] * keys[3]));
    }
  }
}

// out[query] = sum over keys of weights[query, key] v, kBlock vectors of it.
template <int kQueries>
static void Mix(const float* weights, int64_t stride, const float* v, int64_t length, int64_t d, float* out) {
  Vector sums[kQueries][kBlock] = {};
  for (int64_t key = 0; key < length; ++key) {
    for (int b = 0; b < kBlock; ++b) {
      const Vector value = Load(v + key * d + b * kWidth);
      for (int i = 0; i < kQueries; ++i) sums[i][b] += value * weights[i * stride + key];
    }
  }
  for (int i = 0; i < kQueries; ++i) {
    for (int b = 0; b < kBlock; ++b) Store(out + i * d + b * kWidth, sums[i][b]);
  }
}

template <int kQueries>
static void AttendSome(const float* q, const float* k, const float* v, int64_t length, int64_t d, float scale,
                       float* scores, float* out) {
  const int64_t stride = length + kWidth, whole = d / (kBlock * kWidth) * (kBlock * kWidth);
  for (int i = 0; i < kQueries; ++i) {
    for (int64_t key = 0; key < length; ++key) scores[i * stride + key] = 0;
  }
  for (int64_t at = 0; at < whole; at += kBlock * kWidth)
    Dots<kQueries>(q + at, k + at, length, d, scores, stride);
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
    float largest = row[0];
    for (int64_t key = 1; key < length; ++key) largest = row[key] > largest ? row[key] : largest;
    // exp(scale (score - largest)), whose sum the numbers are divided by.
    ForEachVector(
        length, [&](auto load, auto store)
                    __attribute__((always_inline)) { store(row, Exp((load(row) - largest) * scale)); });
    Vector total = {};
    ForEachVector(
        length, [&](auto load, auto) __attribute__((always_inline)) { total += load(row); });
    const float share = 1.0f / Sum(total);
    ForEachVector(
        length, [&](auto load, auto store) __attribute__((always_inline)) { store(row, load(row) * share); });
  }
  for (int64_t at = 0; at < whole; at += kBlock * kWidth)
    Mix<kQueries>(scores, stride, v + at, length, d, out + at);
  if (whole == d) return;
  for (int i = 0; i < kQueries; ++i) {
    ForEachVector(
        d - whole, [&](auto load, auto store) __attribute__((always_inline)) {
          Vector mixed = {};
          for (int64_t key = 0; key < length; ++key)
            mixed += load(v + key * d + whole) * scores[i * stride + key];
          store(out + i * d + whole, mixed);
        });
  }
}

void Attend(const float* q, int64_t queries, const float* k, const float* v, int64_t length, int64_t d,
            float scale, float* scores, float* out) {
  for (; queries >= 4; queries -= 4, q += 4 * d, out += 4 * d)
    AttendSome<4>(q, k, v, length, d, scale, scores, out);
  for (; queries >= 2; queries -= 2, q += 2 * d, out += 2 * d)
    AttendSome<2>(q, k, v, length, d, scale, scores, out);
  if (queries > 0) AttendSome<1>(q, k, v, length, d, scale, scores, out);
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
                                    .panel = kPanel,
                                    .pack = Pack,
                                    .multiply = Multiply,
                                    .attend = Attend,
                                    .query_rows = kQueryRows,
                                    .attend_rows = AttendRows,
                                    .attend_rows_backward = AttendRowsBackward};

}  // namespace lvrpo::LVRPO_KERNELS_NAME
