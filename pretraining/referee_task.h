#pragma once

#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "model/siglip.h"
#include "proto/lvrpo/v1/pretraining.pb.h"

namespace lvrpo {

// Trains the embedded default's referee, a tiny SigLIP 2: sigmoid loss between whole images and their
// captions, and between single patches (the pooling head on one token) and every phrase of the world,
// background patches matching none. Without the second term the one-token vector carries colour but neither
// shape nor binding. `resume`: continue from the checkpoint if there is one.
absl::Status TrainReferee(const v1::PretrainReferee& task, bool resume);

SiglipConfig ShapesRefereeConfig(int64_t vocabulary);

}  // namespace lvrpo
