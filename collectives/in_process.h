#pragma once

#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "collectives/collectives.h"

namespace lvrpo {

// Ranks 0 to size-1 of one communicator whose ranks are threads of this process, for tests and single
// machines. Sums are strictly in rank order (reduce.h). The rank that calls an operation last computes it,
// for all; so a call copies and adds, and Wait() only waits. A rank that is destroyed or aborts is gone for
// the others at once. Each rank may be destroyed by another thread than the one that used it, after that one.
// size >= 1.
std::vector<std::unique_ptr<Collectives>> MakeInProcess(int size, absl::Duration deadline);

}  // namespace lvrpo
