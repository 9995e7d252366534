#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "model/bagel_config.h"

namespace lvrpo {

struct SynthesizeOptions {
  BagelConfig config = {};
  torch::Dtype dtype = torch::kBFloat16;  // the policy's; the autoencoder is always fp32, as published
  uint64_t seed = 1;
  // Folder whose tokenizer files are copied; empty: a byte-level tokenizer is made.
  std::string tokenizer = {};
  // Whether `config` has the special tokens of `tokenizer`; false: they are looked up in the tokenizer.
  bool config_has_tokens = false;
  int64_t max_shard_bytes = 0;  // 0: one file
};

// Writes a model folder in the published layout with random weights of the given sizes: config.json and its
// sections, ema.safetensors, ae.safetensors, tokenizer. Matrices have standard deviation 1 / sqrt(fan-in) and
// layers' outputs 1 / sqrt(2 layers) of that, norms are 1, biases 0, position tables as published; all are
// independent, both experts' too, each a function of seed and name. Meant for measuring what a real model
// costs. One block of one tensor is in memory at a time. InvalidArgument when the vocabulary is too small for
// the tokenizer; FailedPrecondition when `folder` exists.
absl::Status SynthesizeBagel(SynthesizeOptions options, const std::string& folder);

}  // namespace lvrpo
