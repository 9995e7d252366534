#include "model/weights/moved.h"

#include "absl/strings/str_cat.h"

namespace lvrpo {

absl::Status MoveTo(torch::Device device, TensorMap& tensors, const std::string& source) {
  for (auto& [name, tensor] : tensors) {
    try {
      tensor = tensor.to(device);
    } catch (const c10::Error& error) {
      return absl::ResourceExhaustedError(absl::StrCat("no room on ", device.str(), " for the tensor '", name,
                                                       "' of ", source, ": ",
                                                       error.what_without_backtrace()));
    }
  }
  return absl::OkStatus();
}

TensorMap HostCopies(const TensorMap& tensors) {
  TensorMap copies;
  for (const auto& [name, tensor] : tensors)
    copies[name] = tensor.detach().to(torch::kCPU, /*non_blocking=*/false, /*copy=*/true);
  return copies;
}

}  // namespace lvrpo
