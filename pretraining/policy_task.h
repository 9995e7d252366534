#pragma once

#include <array>
#include <string>

#include "data/tokenizer.h"
#include "model/bagel.h"
#include "pretraining/trainer.h"
#include "shapes_world/composition.h"

namespace lvrpo {

struct PolicyTask {
  TrainerOptions trainer;
  uint64_t seed = 1;
  int64_t batch = 128;               // text-to-image samples per iteration
  int64_t understanding_batch = 24;  // question and caption samples per iteration; 0 = none
  int64_t understanding_every = 1;   // iterations
  int64_t cached_pairs = 40000;      // training pairs whose latents are encoded once
  double caption_dropout = 0.1;
  double flow_weight = 1.0;  // lambda of equation 1
  // Sampling weight of each kind of pair, in the order of shapes::kKindNames.
  std::array<double, shapes::kKindCount> kind_weights = {0.6, 1.2, 1.0, 0.9, 1.4, 1.6};
  int64_t score_prompts_per_kind = 20;  // held-out prompts scored after each progress line; 0 = none
  std::string autoencoder;              // folder that `autoencoder` wrote
  std::string referee;                  // folder that `referee` wrote: its tower becomes the policy's eyes
  std::string prompts;                  // folder that `prompts` wrote, for the scores
  std::string start;                    // weights to start from (ema.safetensors); empty: fresh
  std::string out;                      // folder of the policy
};

// Trains the base policy with the paper's stage-one objective: L = L_AR + lambda L_flow (equations 1, 13,
// 14). L_flow: text-to-image on pairs of a prompt or full caption with an exactly right scene. L_AR: dense
// captions and answers about images, through the frozen vision tower and the connector. Writes a complete
// model folder.
absl::Status TrainPolicy(const PolicyTask& task);

BagelConfig ShapesPolicyConfig(const Tokenizer& tokenizer, const AutoencoderConfig& autoencoder);

// Times of training samples i = 0 .. B - 1 of an iteration, [B]: 45 % logit-normal with shift 6 (where layout
// and colours are decided), 12 % uniform, the rest logit-normal with shift 2.
torch::Tensor DrawTimes(uint64_t seed, int64_t iteration, int64_t batch);

}  // namespace lvrpo
