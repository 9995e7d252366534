#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"
#include "model/bagel.h"
#include "policy/prompt_source.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "rollout_worker/generator.h"

namespace lvrpo {

// What a worker samples with: the run's model and prompts, its first weights, and the contract that follows.
struct Sampling {
  Bagel base;
  std::unique_ptr<Tokenizer> tokenizer;
  PromptSource prompts;
  Generator generator;                    // uses the tokenizer
  ShapeMap trained;                       // the tensors that are transferred
  std::shared_ptr<const Policy> initial;  // version 0
  std::map<std::string, std::string> contract;
};

// Loads it from the folders that `config` names, to rollout.device. Unavailable: there is no such device,
// which is found before anything is read.
absl::StatusOr<Sampling> LoadSampling(const v1::RunConfig& config);

}  // namespace lvrpo
