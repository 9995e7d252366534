#include "policy/contract.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "algorithm/schedule.h"
#include "common/hash.h"
#include "model/kernels/cpu_product.h"

namespace lvrpo {
namespace {

constexpr char kCpuProduct[] = "CPU product (one kind of processor for all, or train.max_staleness above 0)";

// Settings that change where samples are computed, and nothing else that a contract could hold.
std::string SamplerDigest(v1::RolloutConfig rollout) {
  rollout.clear_device();
  return Sha256Hex(rollout.SerializeAsString());
}

absl::StatusOr<TensorMap> Select(const TensorMap& tensors, const v1::OptimizerConfig& optimizer,
                                 bool adapters, const std::string& field) {
  const std::vector<std::string> patterns(optimizer.trainable().begin(), optimizer.trainable().end());
  TensorMap selected;
  for (const auto& [name, tensor] : tensors) {
    if (MatchesPatterns(name, patterns) && IsLoraName(name) == adapters) selected[name] = tensor;
  }
  if (selected.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(field, ": no ", adapters ? "linear layer" : "tensor",
                                                      " of the policy matches [",
                                                      absl::StrJoin(patterns, ", "), "]"));
  }
  return selected;
}

}  // namespace

bool UsesText(const v1::RunConfig& config) {
  return config.data().text_prompts_size() > 0 &&
         (config.data().text_fraction() > 0 || config.data().image_prompts_size() == 0);
}

bool UsesImages(const v1::RunConfig& config) {
  return config.data().image_prompts_size() > 0 && config.data().text_fraction() < 1;
}

TensorMap TrainedTensors::All() const {
  TensorMap all = image;
  all.insert(text.begin(), text.end());
  return all;
}

absl::StatusOr<TrainedTensors> SelectTrainedTensors(const v1::RunConfig& config, const Bagel& base) {
  TrainedTensors trained;
  const bool adapters = config.train().lora().rank() > 0;
  if (UsesImages(config)) {
    absl::StatusOr<TensorMap> image =
        Select(base.tensors(), config.train().image(), adapters, "train.image.trainable");
    if (!image.ok()) return image.status();
    trained.image = *std::move(image);
  }
  if (UsesText(config)) {
    absl::StatusOr<TensorMap> text =
        Select(base.tensors(), config.train().text(), adapters, "train.text.trainable");
    if (!text.ok()) return text.status();
    trained.text = *std::move(text);
  }
  return trained;
}

std::map<std::string, std::string> WorkContract(const v1::RunConfig& config, const Bagel& base,
                                                const Tokenizer& tokenizer) {
  const v1::RolloutConfig& rollout = config.rollout();
  std::string model;
  for (const auto& [name, shape] : Bagel::ExpectedTensors(base.config())) {
    absl::StrAppend(&model, name, ":", absl::StrJoin(shape, ","), "\n");
  }
  std::map<std::string, std::string> contract = {
      {"schedule", ScheduleDigest(Timesteps(rollout.timesteps(), rollout.shift()))},
      {"sampler", SamplerDigest(rollout)},
      {"seed", absl::StrCat(config.seed())},
      {"tokenizer", tokenizer.digest()},
      {"model", Sha256Hex(model)},
      {"base weights", DigestOf(base.tensors())}};
  // Its name is in the refusal, so it carries the advice.
  if (config.train().max_staleness() == 0)
    contract[kCpuProduct] = base.device().is_cpu() ? CpuProductName() : "a GPU's";
  return contract;
}

}  // namespace lvrpo
