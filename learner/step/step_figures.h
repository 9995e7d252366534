#pragma once

#include <map>
#include <string>
#include <vector>

#include "algorithm/image_loss.h"
#include "algorithm/text_loss.h"
#include "learner/step/step_ranks.h"
#include "model/bagel_config.h"
#include "model/layers/expert_pool.h"

namespace lvrpo {

// Mean over what was added.
struct Mean {
  double sum = 0, count = 0;
  void Add(double value, double weight = 1) {
    sum += value * weight;
    count += weight;
  }
  double value() const { return count > 0 ? sum / count : 0; }
};

// Inputs of one step's metrics.
struct StepSums {
  Mean image_loss, image_kl, image_clip_low, image_clip_high;
  Mean text_loss, text_kl, text_clip_low, text_clip_high;
  Mean sampler_difference;            // |our log-prob - the sampler's|
  double ratio_deviation = 0;         // largest |ratio - 1| in the first update
  double sampler_difference_now = 0;  // largest difference in image groups of the current version
  double text_difference_now = 0;     // the same of text groups
  double ratio_deviation_late = 0;    // largest |ratio - 1| in later updates
  std::map<std::string, Mean> rewards, logged;
  // Effective sample sizes (EffectiveShare): advantages, and the ratio of the policy before the step to the
  // one that sampled.
  Mean advantage, squared_advantage;
  Mean image_weight, squared_image_weight, text_weight, squared_text_weight;
  std::vector<Mean> clip_by_step;    // images outside of the ratio's range, by denoising step
  std::vector<torch::Tensor> noise;  // [G, N * D] of the first window step of each image group of this rank
  Mean unique_noise;
  Mean reward_std, response_tokens;
};

// Adds the terms of `count` images at denoising step `index`, which were divided by the step's terms.
void AddImageTerms(const ImageLossTerms& terms, int64_t count, int index, double step_terms, bool first,
                   StepSums& sums);
// Adds the terms of a text group, whose response tokens `mask` [G, T] counts; the loss is a mean over
// `own_terms` of the group and `step_terms` in all.
void AddTextTerms(const TextLossTerms& terms, const torch::Tensor& mask, double own_terms, double step_terms,
                  bool first, StepSums& sums);

// Compares the noise that was added, and forgets it.
void AddUniqueNoise(StepSums& sums);

// Adds up what each rank knows of its groups. All have as many `clip_by_step`. Rewards are of all groups, and
// every rank's already.
absl::Status AddOverRanks(const StepRanks& ranks, StepSums& sums);

// The figures by name, of a step with image or text groups or both: docs/operating.md lists them.
std::map<std::string, double> StepFigures(const StepSums& sums, bool images, bool texts);
// The same of the tokens that each rank's routers sent to the experts of `model`.
absl::Status AddOverRanks(const StepRanks& ranks, const BagelConfig& model, ExpertLoad& load);
// How many experts a router used, by kind of token.
std::map<std::string, double> ExpertFigures(const ExpertLoad& load);

}  // namespace lvrpo
