#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"
#include "model/autoencoder.h"
#include "model/bagel.h"
#include "policy/prompt_source.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// The loaded state of a run's rollout worker.
struct World {
  v1::RunConfig config;
  Bagel base;
  Autoencoder autoencoder;
  std::unique_ptr<Tokenizer> tokenizer;
  PromptSource prompts;
};

absl::StatusOr<World> LoadWorld(const v1::RunConfig& config);

v1::Lease MakeLease(int64_t ordinal, int group_size);

}  // namespace lvrpo
