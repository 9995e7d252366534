#pragma once

#include <cstdint>

#include "model/bagel_config.h"

namespace lvrpo {

// Bytes of a decoder layer's tensors per token, when it runs with gradients: those that its graph keeps until
// its backward, and the most that are there besides while that runs. They follow the operations of
// model/layers/decoder_layer.cc: in fp32 (`width` 4) its own CPU kernels, else LibTorch's, which keep the
// norms' inputs in fp32 and the activation apart. `adapters`: of all its linear layers.
struct LayerActivations {
  int64_t kept = 0, passing = 0;
};
LayerActivations LayerActivationsOf(const BagelConfig& config, int64_t width, bool adapters);

}  // namespace lvrpo
