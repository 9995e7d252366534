#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "torch/torch.h"

// Where models compute. Their headers say which inputs may be in the host's memory all the same; noise is
// always made there (algorithm/philox.h), the same numbers for every device.
namespace lvrpo {

// The device of a setting such as rollout.device; "cuda" is the first GPU. InvalidArgument for what
// ParseDeviceName() refuses. Unavailable, in one sentence: this program was built for CPUs, there is no GPU
// or no driver, or there are fewer GPUs. From the first GPU on LibTorch takes operators that give the same
// bits each time.
absl::StatusOr<torch::Device> FindDevice(absl::string_view name);

// GPUs that this process sees: 0 also in a program that was built for CPUs.
int GpuCount();

// Bytes of memory that a GPU has, free or not; nullopt for a CPU.
std::optional<int64_t> DeviceMemory(torch::Device device);

}  // namespace lvrpo
