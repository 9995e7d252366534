#pragma once

#include <string>

#include "model/bagel_config.h"
#include "model/weights/checkpoint_writer.h"
#include "model/weights/weights.h"

namespace lvrpo {

// A model with a top_k router out of one whose routing is hard, so that both compute the same at first: the
// first half of the experts are copies of the understanding weights, the second half of the generation
// weights, and modality_bias sends each kind of token to its own copies, whose shares add up to 1. The gate's
// weights are small and random: copies get different tokens, and can learn to differ.

// The tensor of the hard model that an expert's tensor ("...mlp.experts.5.up_proj.weight") is a copy of;
// empty for every other tensor.
std::string SeedOfExpert(const std::string& tensor, const RouterConfig& router);

// The gate's tensors of the model, as expert_pool.h names them, in `dtype`. A function of (config, seed).
std::vector<TensorSource> GateSeeds(const BagelConfig& config, torch::Dtype dtype, uint64_t seed);

// In memory: `config` with a top_k router, `hard` the tensors of the same model without. Copies the experts.
TensorMap SeedExperts(const BagelConfig& config, TensorMap hard, uint64_t seed);

}  // namespace lvrpo
