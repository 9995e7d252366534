#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/weights/weights.h"

// Tensors of models in the memory of the host and of devices.
namespace lvrpo {

// Where a model's tensors are.
inline torch::Device DeviceOf(const TensorMap& tensors) {
  return tensors.empty() ? torch::Device(torch::kCPU) : tensors.begin()->second.device();
}

// Moves them, one after the other, so that no tensor is there twice for longer than it takes.
// ResourceExhausted: the device has no room; `source` says for what.
absl::Status MoveTo(torch::Device device, TensorMap& tensors, const std::string& source);

// Detached copies in the host's memory, wherever the tensors are.
TensorMap HostCopies(const TensorMap& tensors);

// A model that was read from `source`, on `device`. `Model` has Create() of its config() and tensors().
template <typename Model>
absl::StatusOr<Model> OnDevice(absl::StatusOr<Model> model, torch::Device device, const std::string& source) {
  if (!model.ok() || device == DeviceOf(model->tensors())) return model;
  auto config = model->config();
  TensorMap tensors = model->tensors();
  model = absl::UnknownError("moving");  // gives the tensors up
  if (absl::Status status = MoveTo(device, tensors, source); !status.ok()) return status;
  return Model::Create(std::move(config), std::move(tensors), source);
}

}  // namespace lvrpo
