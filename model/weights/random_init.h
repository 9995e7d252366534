#pragma once

#include <cstdint>

#include "model/weights/weights.h"

namespace lvrpo {

// Random weights, a function of (shapes, seed) alone: matrices and kernels normal with standard deviation
// 1/sqrt(fan in); vectors named *.weight are norms and start at one, *.bias at zero.
TensorMap InitByFanIn(const ShapeMap& shapes, uint64_t seed);

}  // namespace lvrpo
