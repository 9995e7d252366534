#include "model/kernels/parallel.h"

#include "ATen/Parallel.h"

#ifndef _OPENMP
#error "compile this file with -fopenmp: without it at::parallel_for uses one thread"
#endif

namespace lvrpo {

void ParallelFor(int64_t begin, int64_t end, int64_t grain, absl::FunctionRef<void(int64_t, int64_t)> work) {
  at::parallel_for(begin, end, grain, [&](int64_t first, int64_t last) { work(first, last); });
}

int ThreadsHere() { return at::in_parallel_region() ? 1 : at::get_num_threads(); }

}  // namespace lvrpo
