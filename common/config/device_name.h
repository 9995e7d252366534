#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// What a setting such as rollout.device names: "cpu", "cuda" or "cuda:N".
struct DeviceName {
  enum class Kind { kCpu, kCuda };
  Kind kind = Kind::kCpu;
  int index = -1;  // of the GPU, from 0; -1: the setting leaves it to the process, or it is the CPU

  bool operator==(const DeviceName&) const = default;
};

// GPUs of one machine.
inline constexpr int kMostGpus = 64;

// InvalidArgument for any other text, and for an N of kMostGpus and more; says what may be written. Pure.
absl::StatusOr<DeviceName> ParseDeviceName(absl::string_view text);

// Where a process that computes on `compute_device` takes weights: there, or where LVRPO_WEIGHTS_DEVICE in
// the environment says, with which tests use the doubles of CUDA and NCCL while CPUs compute.
std::string WeightsDevice(const std::string& compute_device);

}  // namespace lvrpo
