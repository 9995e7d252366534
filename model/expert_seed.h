#pragma once

#include <string>

#include "model/bagel_config.h"
#include "model/weights/checkpoint_writer.h"
#include "model/weights/weights.h"

namespace lvrpo {

// Turns a model with hard routing into one with a top_k router that initially computes the same: the first
// half of the experts are copies of the und expert, the second half of gen, and modality_bias routes each
// kind of token to its own copies, whose router probabilities add up to 1. The gate's weights are small and
// random, so that copies get different tokens and can diverge.

// The tensor of the hard model that an expert's tensor ("...mlp.experts.5.up_proj.weight") is a copy of;
// empty for every other tensor.
std::string SeedOfExpert(const std::string& tensor, const RouterConfig& router);

// The model's gate tensors, named as in expert_pool.h, in `dtype`. A function of (config, seed).
std::vector<TensorSource> GateSeeds(const BagelConfig& config, torch::Dtype dtype, uint64_t seed);

// The same in memory: `config` has a top_k router, `hard` the tensors of the model without one. Copies the
// experts.
TensorMap SeedExperts(const BagelConfig& config, TensorMap hard, uint64_t seed);

}  // namespace lvrpo
