#include "model/kernels/cpu_kernels.h"

#include <cstdlib>
#include <string>

namespace lvrpo {

namespace generic {
extern const CpuKernels kKernels;
}
#ifdef LVRPO_X86_KERNELS
namespace avx2 {
extern const CpuKernels kKernels;
}
namespace avx512 {
extern const CpuKernels kKernels;
}
#endif

CpuKernelSets AvailableCpuKernels() {
  CpuKernelSets available = {};
  const auto add = [&](const CpuKernels& set) { available.sets[available.count++] = &set; };
#ifdef LVRPO_X86_KERNELS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    add(avx512::kKernels);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) add(avx2::kKernels);
#endif
  add(generic::kKernels);
  return available;
}

const CpuKernels& BestCpuKernels() {
  static const CpuKernels& best = []() -> const CpuKernels& {
    const CpuKernelSets available = AvailableCpuKernels();
    const char* wanted = std::getenv("LVRPO_CPU_KERNELS");
    for (int i = 0; wanted != nullptr && i < available.count; ++i) {
      if (available.sets[i]->name == std::string(wanted)) return *available.sets[i];
    }
    return *available.sets[0];
  }();
  return best;
}

}  // namespace lvrpo
