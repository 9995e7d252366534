#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/config/config.h"
#include "policy/prompt_source.h"
#include "policy/run_policy.h"
#include "rollout_worker/generator.h"
#include "tests/testing/messages.h"

namespace lvrpo {

// The embedded default, loaded once.
struct World {
  v1::RunConfig config;
  Bagel base;
  std::unique_ptr<Tokenizer> tokenizer;
  PromptSource prompts;
  Generator generator;
};

inline World& TheWorld() {
  static World* world = [] {
    torch::set_num_threads(1);
    v1::RunConfig config =
        LoadRunConfig("configs/shapes.yaml", {"data.text_fraction=0.5", "rollout.group_size=4"})->config;
    RunModel model = *LoadRunModel(config, torch::kCPU);
    PromptSource prompts = *PromptSource::Load(config, *model.tokenizer, model.policy.config());
    Generator generator(config, model.autoencoder, *model.tokenizer);
    return new World{config, model.policy, std::move(model.tokenizer), std::move(prompts),
                     std::move(generator)};
  }();
  return *world;
}

}  // namespace lvrpo
