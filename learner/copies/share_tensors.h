#pragma once

#include "absl/status/status.h"
#include "collectives/collectives.h"
#include "model/weights/weights.h"

namespace lvrpo {

// Gives all ranks the tensors of rank `root`, on the CPU; what `tensors` of the others held is gone. All
// ranks call it. `ranks`: null with one rank, whose tensors stay as they are. Aborted (RanksAreLost): the
// communicator is broken.
absl::Status ShareTensors(Collectives* ranks, int root, TensorMap& tensors);

}  // namespace lvrpo
