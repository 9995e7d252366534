#include "tests/benchmarks/world.h"

#include "policy/run_policy.h"

namespace lvrpo {

absl::StatusOr<World> LoadWorld(const v1::RunConfig& config) {
  auto model = LoadRunModel(config, torch::kCPU);
  if (!model.ok()) return model.status();
  auto prompts = PromptSource::Load(config, *model->tokenizer, model->policy.config());
  if (!prompts.ok()) return prompts.status();
  return World{config, std::move(model->policy), std::move(model->autoencoder), std::move(model->tokenizer),
               *std::move(prompts)};
}

v1::Lease MakeLease(int64_t ordinal, int group_size) {
  v1::Lease lease;
  lease.mutable_id()->set_ordinal(ordinal);
  lease.set_group_size(group_size);
  return lease;
}

}  // namespace lvrpo
