#include "rollout_worker/sampling.h"

#include <utility>

#include "model/weights/device.h"
#include "policy/contract.h"
#include "policy/run_policy.h"
#include "rollout_worker/policy_holder.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
absl::StatusOr<Sampling> LoadSampling(const v1::RunConfig& config) {
  const absl::StatusOr<torch::Device> device = FindDevice(config.rollout().device());
  if (!device.ok()) return device.status();
  absl::StatusOr<RunModel> model = LoadRunModel(config, *device);
  if (!model.ok()) return model.status();
  absl::StatusOr<PromptSource> prompts =
      PromptSource::Load(config, *model->tokenizer, model->policy.config());
  if (!prompts.ok()) return prompts.status();
  // Terms of workers only: they must agree with one another, or a group would depend on who sampled it.
  std::map<std::string, std::string> contract = WorkContract(config, model->policy, *model->tokenizer);
  contract["prompts"] = prompts->Digest();
  contract["autoencoder"] = DigestOf(model->autoencoder.tensors());
  const absl::StatusOr<TrainedTensors> trained = SelectTrainedTensors(config, model->policy);
  if (!trained.ok()) return trained.status();
  const TensorMap all = trained->All();
  absl::StatusOr<std::shared_ptr<const Policy>> initial =
      MakePolicy(model->policy, {}, PackWeights(all, 0).manifest.version());
  if (!initial.ok()) return initial.status();
  Generator generator(config, std::move(model->autoencoder), *model->tokenizer);
  return Sampling{std::move(model->policy),
                  std::move(model->tokenizer),
                  *std::move(prompts),
                  std::move(generator),
                  ShapesOf(all),
                  *std::move(initial),
                  std::move(contract)};
}

}  // namespace lvrpo
