#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "collectives/device_api.h"

namespace lvrpo {

// GPU `index` through the CUDA runtime, which this loads: what LVRPO_CUDART_LIBRARY names
// in the environment, or else libcudart.so.13, libcudart.so.12 or libcudart.so, wherever the loader finds it.
// Unavailable: no runtime, no driver or no GPU; says which, and what the runtime says. OutOfRange: no such
// GPU.
absl::StatusOr<std::unique_ptr<DeviceApi>> OpenCudaDevice(int index);

}  // namespace lvrpo
