#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/config/config.h"
#include "policy/prompt_source.h"
#include "policy/run_policy.h"
#include "rollout_worker/generator.h"

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
    Bagel base = *LoadRunPolicy(config);
    std::unique_ptr<Tokenizer> tokenizer = *LoadTokenizer(config.model().policy());
    PromptSource prompts = *PromptSource::Load(config, *tokenizer, base.config());
    Autoencoder autoencoder = *Autoencoder::Create(
        base.config().autoencoder, *LoadTensors(config.model().policy() + "/ae.safetensors"), "test");
    Generator generator(config, autoencoder, *tokenizer);
    return new World{config, base, std::move(tokenizer), std::move(prompts), std::move(generator)};
  }();
  return *world;
}

inline v1::PolicyVersion Version(int64_t version, const std::string& digest) {
  v1::PolicyVersion v;
  v.set_number(version);
  v.set_digest(digest);
  return v;
}

inline v1::Lease Lease(int64_t ordinal, int32_t attempt = 0) {
  v1::Lease lease;
  lease.set_lease_id("lease-" + std::to_string(ordinal));
  lease.set_ordinal(ordinal);
  lease.set_attempt(attempt);
  lease.set_group_size(4);
  lease.set_learner_address("learner");
  return lease;
}

}  // namespace lvrpo
