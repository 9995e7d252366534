#pragma once

#include <optional>

#include "model/bagel.h"
#include "tests/testing/test_device.h"

// Models of other tests on the device that is no CPU.
namespace lvrpo {

inline TensorMap Moved(TensorMap tensors, int index = 0) {
  for (auto& [name, tensor] : tensors) tensor = tensor.detach().to(TestDevice(index));
  return tensors;
}

inline Bagel Moved(const Bagel& model, const std::optional<LoraConfig>& lora = std::nullopt, int index = 0) {
  return *Bagel::Create(model.config(), Moved(model.tensors(), index), "test", lora);
}

}  // namespace lvrpo
