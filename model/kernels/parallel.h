#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"

namespace lvrpo {

// Splits [begin, end) between LibTorch's threads, in pieces of at least `grain`: work(first, last) for each.
// Inside another such call it runs as one piece. at::parallel_for does nothing of the kind in a file that is
// compiled without OpenMP, as all of ours but this one's are.
void ParallelFor(int64_t begin, int64_t end, int64_t grain, absl::FunctionRef<void(int64_t, int64_t)> work);

// Threads that such a call would have here.
int ThreadsHere();

}  // namespace lvrpo
