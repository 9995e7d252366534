#pragma once

#include "model/weights/weights.h"
#include "weight_plane/packed_weights.h"
#include "weight_plane/verified_weights.h"

namespace lvrpo {

// Packs `tensors`, which are cast to fp32, in name order. The same tensors always give the same digest,
// whatever the version's `number`.
PackedWeights PackWeights(const TensorMap& tensors, int64_t number);

// Back to fp32 tensors on the CPU (copies).
TensorMap UnpackWeights(const VerifiedWeights& weights);

}  // namespace lvrpo
