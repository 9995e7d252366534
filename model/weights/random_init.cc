#include "model/weights/random_init.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "absl/strings/match.h"

namespace lvrpo {

TensorMap InitByFanIn(const ShapeMap& shapes, uint64_t seed) {
  torch::Generator generator = torch::make_generator<torch::CPUGeneratorImpl>(seed);
  TensorMap tensors;
  for (const auto& [name, shape] : shapes) {
    if (shape.size() < 2) {
      tensors[name] = absl::EndsWith(name, ".weight") ? torch::ones(shape) : torch::zeros(shape);
      continue;
    }
    int64_t fan_in = 1;
    for (size_t i = 1; i < shape.size(); ++i) fan_in *= shape[i];
    tensors[name] = torch::randn(shape, generator) / std::sqrt(static_cast<double>(fan_in));
  }
  return tensors;
}

}  // namespace lvrpo
