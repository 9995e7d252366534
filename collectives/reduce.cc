#include "collectives/reduce.h"

#include <bit>
#include <cmath>
#include <type_traits>

namespace lvrpo {
namespace {

struct BFloat16 {
  uint16_t bits;
};

template <typename T>
T Load(T value) {
  return value;
}

float Load(BFloat16 value) { return std::bit_cast<float>(uint32_t{value.bits} << 16); }

template <typename T>
void Store(T value, T* to) {
  *to = value;
}

void Store(float value, BFloat16* to) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) {
    to->bits = static_cast<uint16_t>(bits >> 16 | 0x40);  // quiet; rounding could make it infinite
  } else {
    to->bits = static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
}

template <typename T>
T Add(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) + static_cast<std::make_unsigned_t<T>>(b));
  } else {
    return a + b;
  }
}

template <typename T, typename Combine>
void Fold(const std::vector<const void*>& inputs, int64_t count, void* out, Combine combine) {
  T* const results = static_cast<T*>(out);
  for (int64_t i = 0; i < count; ++i) {
    auto value = Load(static_cast<const T*>(inputs[0])[i]);
    for (size_t rank = 1; rank < inputs.size(); ++rank) {
      value = combine(value, Load(static_cast<const T*>(inputs[rank])[i]));
    }
    Store(value, &results[i]);
  }
}

template <typename T>
void FoldOf(Reduction reduction, const std::vector<const void*>& inputs, int64_t count, void* out) {
  switch (reduction) {
    case Reduction::kSum:
      return Fold<T>(inputs, count, out, [](auto a, auto b) { return Add(a, b); });
    case Reduction::kMax:
      return Fold<T>(inputs, count, out, [](auto a, auto b) { return b > a ? b : a; });
    case Reduction::kMin:
      return Fold<T>(inputs, count, out, [](auto a, auto b) { return b < a ? b : a; });
  }
}

}  // namespace

void Reduce(Element element, Reduction reduction, const std::vector<const void*>& inputs, int64_t count,
            void* out) {
  switch (element) {
    case Element::kFloat32:
      return FoldOf<float>(reduction, inputs, count, out);
    case Element::kFloat64:
      return FoldOf<double>(reduction, inputs, count, out);
    case Element::kBFloat16:
      return FoldOf<BFloat16>(reduction, inputs, count, out);
    case Element::kInt64:
      return FoldOf<int64_t>(reduction, inputs, count, out);
    case Element::kByte:
      return;
  }
}

}  // namespace lvrpo
