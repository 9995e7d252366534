#pragma once

#include <time.h>

#include "absl/base/config.h"

namespace lvrpo {

// Seconds of processor time that this thread has used: unlike the clock, it does not depend on what else the
// machine does, so a test may bound it where unbounded work is the bug.
inline double CpuSeconds() {
  timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

// A bound for CpuSeconds(), `seconds` without sanitizers.
constexpr double CpuBound(double seconds) {
#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
  return 4 * seconds;
#else
  return seconds;
#endif
}

}  // namespace lvrpo
