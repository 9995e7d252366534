#pragma once

#include <cstdint>
#include <vector>

#include "collectives/collectives.h"

namespace lvrpo {

// out[i] = inputs[0][i] (+) inputs[1][i] (+) ..., strictly in this order: the reference for every
// implementation of Collectives that promises an order. fp32, fp64 and int64 (which wraps) step by step; bf16
// in fp32, rounded once at the end, to nearest even. `out` may be one of the inputs, and overlaps none
// otherwise. Not of bytes.
void Reduce(Element element, Reduction reduction, const std::vector<const void*>& inputs, int64_t count,
            void* out);

}  // namespace lvrpo
