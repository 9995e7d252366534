#pragma once

#include <string>

#include "learner/trainer.h"
#include "tests/trajectory/tiny_run.h"

// Groups of the tiny run as the learner trains on them.
namespace lvrpo {

// The scores of a sample: its reward, which is its one component.
inline v1::SampleSummary Summary(int slot, float reward) {
  v1::SampleSummary summary;
  summary.set_slot(slot);
  summary.set_reward(reward);
  v1::ComponentScore& score = *summary.add_scores();
  score.set_name("instruction");
  score.set_outcome(v1::ComponentScore::OK);
  score.set_score(reward);
  return summary;
}

// The group with reward 1 for odd slots and 0 for even ones.
inline TrainingGroup Scored(SampledGroup group, int size) {
  TrainingGroup scored = {.trajectories = std::move(group), .samples = {}};
  for (int slot = 0; slot < size; ++slot)
    scored.samples.push_back(Summary(slot, static_cast<float>(slot % 2)));
  return scored;
}

inline TrainingGroup TrainImages(const Bagel& model, const v1::RunConfig& config, int64_t ordinal,
                                 LatentGrid grid = {.height = 4, .width = 4}) {
  return Scored(SampleImageGroup(model, config, ordinal, ImagePrompt(grid)), config.rollout().group_size());
}

inline TrainingGroup TrainTexts(const Bagel& model, const v1::RunConfig& config, int64_t ordinal) {
  return Scored(SampleTextGroup(model, config, ordinal), config.rollout().group_size());
}

}  // namespace lvrpo
