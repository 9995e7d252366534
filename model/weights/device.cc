#include "model/weights/device.h"

#include <algorithm>
#include <cstdlib>

#include "ATen/detail/CUDAHooksInterface.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "c10/core/CachingDeviceAllocator.h"
#include "common/config/device_name.h"

namespace lvrpo {
namespace {

// LibTorch warns on stderr when it finds no driver; FindDevice() says so in one sentence.
class NoWarnings : public c10::WarningHandler {
  void process(const c10::Warning&) override {}
};

// Operators that add in the order in which threads come would make a sample's log-prob, and with it the ratio
// of the first update, differ from one evaluation to the next.
void ComputeRepeatably() {
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);  // read when cuBLAS starts
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
}

}  // namespace

int GpuCount() {
  static NoWarnings silent;
  const c10::WarningUtils::WarningHandlerGuard guard(&silent);
  return torch::cuda::device_count();
}

absl::StatusOr<torch::Device> FindDevice(absl::string_view name) {
  const absl::StatusOr<DeviceName> parsed = ParseDeviceName(name);
  if (!parsed.ok()) return parsed.status();
  if (parsed->kind == DeviceName::Kind::kCpu) return torch::Device(torch::kCPU);
  if (!at::detail::getCUDAHooks().isBuilt()) {
    return absl::UnavailableError(
        absl::StrCat("the device ", name,
                     " cannot be used: this program was built for CPUs (docs/development.md, \"CUDA\")"));
  }
  const int count = GpuCount(), index = std::max(parsed->index, 0);
  if (count == 0) {
    return absl::UnavailableError(absl::StrCat(
        "the device ", name, " cannot be used: this machine has no GPU, or no NVIDIA driver that sees one"));
  }
  if (index >= count) {
    return absl::UnavailableError(absl::StrCat("there is no device ", name, ": this machine has ", count,
                                               count == 1 ? " GPU" : " GPUs"));
  }
  ComputeRepeatably();
  return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
}

std::optional<int64_t> DeviceMemory(torch::Device device) {
  if (!device.is_cuda()) return std::nullopt;
  return static_cast<int64_t>(c10::getDeviceAllocator(torch::kCUDA)->getMemoryInfo(device.index()).second);
}

}  // namespace lvrpo
