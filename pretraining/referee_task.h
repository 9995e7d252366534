#pragma once

#include <string>
#include <vector>

#include "data/tokenizer.h"
#include "model/siglip.h"
#include "pretraining/trainer.h"

namespace lvrpo {

struct RefereeTask {
  TrainerOptions trainer;
  uint64_t seed = 1;
  int64_t batch = 32;  // images
  std::string out;     // folder: config.json, model.safetensors, tokenizer.json
};

// Trains the embedded default's referee, a tiny SigLIP 2: sigmoid loss between whole images and their
// captions, and between single patches (the pooling head on one token) and every phrase of the world,
// background patches matching none. Without the second term the one-token vector carries colour but neither
// shape nor binding.
absl::Status TrainReferee(const RefereeTask& task);

SiglipConfig ShapesRefereeConfig(int64_t vocabulary);

}  // namespace lvrpo
