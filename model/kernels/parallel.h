#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"

namespace lvrpo {

// Splits [begin, end) between LibTorch's threads, in chunks of at least `grain`: work(first, last) for each.
// Nested calls run as one chunk. at::parallel_for would use one thread in files compiled without OpenMP, as
// all of ours but parallel.cc are.
void ParallelFor(int64_t begin, int64_t end, int64_t grain, absl::FunctionRef<void(int64_t, int64_t)> work);

// Threads that ParallelFor would use here.
int ThreadsHere();

}  // namespace lvrpo
