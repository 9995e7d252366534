#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "collectives/collectives.h"

namespace lvrpo {

// bf16, as the upper half of a float's bits.
enum class BFloat16Bits : uint16_t {};

template <typename T>
constexpr Element ElementOf() {
  if constexpr (std::is_same_v<T, float>) return Element::kFloat32;
  if constexpr (std::is_same_v<T, double>) return Element::kFloat64;
  if constexpr (std::is_same_v<T, BFloat16Bits>) return Element::kBFloat16;
  if constexpr (std::is_same_v<T, int64_t>) return Element::kInt64;
  return Element::kByte;
}

template <typename T>
Span SpanOf(std::vector<T>& values) {
  return {.data = values.data(), .count = static_cast<int64_t>(values.size()), .element = ElementOf<T>()};
}

// `count` values from `begin`.
template <typename T>
Span PartOf(std::vector<T>& values, int64_t begin, int64_t count) {
  return {.data = values.data() + begin, .count = count, .element = ElementOf<T>()};
}

}  // namespace lvrpo
