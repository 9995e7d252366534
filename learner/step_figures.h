#pragma once

#include <map>
#include <string>

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
  Mean reward_std, response_tokens;
};

// The figures by name, of a step with image or text groups or both: docs/operating.md lists them.
std::map<std::string, double> StepFigures(const StepSums& sums, bool images, bool texts);

}  // namespace lvrpo
