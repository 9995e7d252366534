#pragma once

#include "absl/status/status.h"
#include "data/tokenizer/tokenizer.h"
#include "model/bagel.h"
#include "proto/lvrpo/v1/pretraining.pb.h"

namespace lvrpo {

// Trains the base policy with the paper's stage-one objective (equations 1, 13, 14), both terms weighted:
// L = text_weight L_AR + flow_weight L_flow. L_flow: text-to-image on pairs of a prompt or full caption with
// an exactly right scene. L_AR: dense captions and answers about images, through the frozen vision tower and
// the connector; a share of the answers is habitual instead of right (pretraining/policy_data.h). Writes a
// complete model folder. `resume`: continue from the checkpoint if there is one.
absl::Status TrainPolicy(const v1::PretrainPolicy& task, bool resume);

BagelConfig ShapesPolicyConfig(const Tokenizer& tokenizer, const AutoencoderConfig& autoencoder);

// Times of training samples i = 0 .. B - 1 of an iteration, [B]: 45 % logit-normal with shift 6 (where layout
// and colours are decided), 12 % uniform, the rest logit-normal with shift 2.
torch::Tensor DrawTimes(uint64_t seed, int64_t iteration, int64_t batch);

}  // namespace lvrpo
