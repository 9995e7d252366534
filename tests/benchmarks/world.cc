#include "tests/benchmarks/world.h"

#include "policy/run_policy.h"

namespace lvrpo {

absl::StatusOr<World> LoadWorld(const v1::RunConfig& config) {
  auto base = LoadRunPolicy(config);
  if (!base.ok()) return base.status();
  auto tensors = LoadTensors(config.model().policy() + "/ae.safetensors");
  if (!tensors.ok()) return tensors.status();
  auto autoencoder = Autoencoder::Create(base->config().autoencoder, *std::move(tensors), "ae");
  if (!autoencoder.ok()) return autoencoder.status();
  auto tokenizer = LoadTokenizer(config.model().policy());
  if (!tokenizer.ok()) return tokenizer.status();
  auto prompts = PromptSource::Load(config, **tokenizer, base->config());
  if (!prompts.ok()) return prompts.status();
  return World{config, *std::move(base), *std::move(autoencoder), *std::move(tokenizer), *std::move(prompts)};
}

v1::Lease MakeLease(int64_t ordinal, int group_size) {
  v1::Lease lease;
  lease.set_ordinal(ordinal);
  lease.set_group_size(group_size);
  return lease;
}

}  // namespace lvrpo
