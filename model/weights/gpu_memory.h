#pragma once

namespace lvrpo {

// Declared before models: once they are gone, returns the memory that LibTorch keeps for later on GPUs. A
// GPU's context, some hundred MB, stays until the process ends.
class GpuMemoryReturn {
 public:
  GpuMemoryReturn() = default;
  ~GpuMemoryReturn();
  GpuMemoryReturn(const GpuMemoryReturn&) = delete;
  GpuMemoryReturn& operator=(const GpuMemoryReturn&) = delete;
};

}  // namespace lvrpo
