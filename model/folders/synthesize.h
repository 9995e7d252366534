#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "model/bagel_config.h"

namespace lvrpo {

struct SynthesizeOptions {
  BagelConfig config = {};
  torch::Dtype dtype = torch::kBFloat16;  // of the policy; the autoencoder is always fp32, as published
  uint64_t seed = 1;
  // Folder whose tokenizer files are copied; empty: a byte-level tokenizer is made.
  std::string tokenizer = {};
  // The special tokens of `config` are those of `tokenizer`; otherwise they are asked of the tokenizer.
  bool config_has_tokens = false;
  int64_t max_shard_bytes = 0;  // 0: one file
};

// Writes a model folder in the published layout with random weights of the given sizes: config.json and its
// sections, ema.safetensors, ae.safetensors, tokenizer. Matrices have standard deviation 1 / sqrt(fan-in) and
// layers' outputs 1 / sqrt(2 layers) of that, norms are 1, biases 0, position tables as published; all are
// independent, the halves too, and what seed and name make of them does not depend on the other tensors. It
// shows what a real model costs, not what it knows. One piece of one tensor is in memory at a time.
// InvalidArgument when the vocabulary is too small for the tokenizer; FailedPrecondition when `folder`
// exists.
absl::Status SynthesizeBagel(SynthesizeOptions options, const std::string& folder);

}  // namespace lvrpo
