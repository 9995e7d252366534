#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/weights/weights.h"

// What a step's figures say about the health of a training (docs/operating.md, "Figures of a step").
namespace lvrpo {

// Which part of a model a trained parameter is in, by its name or by that of a shard's unit: "und" or "gen",
// the halves of the decoder's layers, "pool", experts that both use, or "rest", what is outside of the
// layers.
std::string PartOf(const std::string& parameter);

// Those whose numbers are not all finite: "a.weight", or "a.weight and 3 more". Empty: none.
std::string NameNonFinite(const TensorMap& tensors);

// Effective sample size as a share of the samples (Kish 1965): (sum w)^2 / (n sum w^2), from the means of w
// and of w^2. 1: all weigh the same; 1 / n: one alone decides. 1 without samples.
double EffectiveShare(double mean, double mean_of_squares);

// Samples that were drawn with the noise of another one.
struct RepeatedNoise {
  int64_t samples = 0, repeated = 0;
  // The first: which group, and slots of both.
  struct Pair {
    size_t group = 0, other_group = 0;
    int64_t slot = 0, other_slot = 0;
  };
  std::optional<Pair> example = std::nullopt;
};
// `noise`: by group, [G, N] fp32, about standard normal, known up to rounding and a small shift (of groups
// that older weights sampled). Two samples of independent noise correlate by 1 / sqrt(N); of the same noise,
// by 1. Opposite noise, of antithetic pairs, is no repetition. Only groups of the same N are compared. Costs
// S^2 N for S samples.
RepeatedNoise FindRepeatedNoise(const std::vector<torch::Tensor>& noise);

}  // namespace lvrpo
