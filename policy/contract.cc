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

absl::StatusOr<std::set<std::string>> Select(const ShapeMap& tensors, const v1::OptimizerConfig& optimizer,
                                             bool adapters, const std::string& field) {
  const std::vector<std::string> patterns(optimizer.trainable().begin(), optimizer.trainable().end());
  std::set<std::string> selected;
  for (const auto& [name, shape] : tensors) {
    if (MatchesPatterns(name, patterns) && IsLoraName(name) == adapters) selected.insert(name);
  }
  if (selected.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(field, ": no ", adapters ? "linear layer" : "tensor",
                                                      " of the policy matches [",
                                                      absl::StrJoin(patterns, ", "), "]"));
  }
  return selected;
}

TensorMap TensorsOf(const TensorMap& tensors, const std::set<std::string>& names) {
  TensorMap selected;
  for (const std::string& name : names) selected[name] = tensors.at(name);
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

absl::StatusOr<TrainedNames> SelectTrainedNames(const v1::RunConfig& config, const ShapeMap& tensors) {
  TrainedNames trained;
  const bool adapters = config.train().lora().rank() > 0;
  if (UsesImages(config)) {
    absl::StatusOr<std::set<std::string>> image =
        Select(tensors, config.train().image(), adapters, "train.image.trainable");
    if (!image.ok()) return image.status();
    trained.image = *std::move(image);
  }
  if (UsesText(config)) {
    absl::StatusOr<std::set<std::string>> text =
        Select(tensors, config.train().text(), adapters, "train.text.trainable");
    if (!text.ok()) return text.status();
    trained.text = *std::move(text);
  }
  for (const std::string& name : trained.image) {
    if (trained.text.contains(name)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "train.image.trainable and train.text.trainable both match ", name, ": give it to one of them"));
    }
  }
  return trained;
}

absl::StatusOr<TrainedTensors> SelectTrainedTensors(const v1::RunConfig& config, const Bagel& base) {
  const absl::StatusOr<TrainedNames> names = SelectTrainedNames(config, ShapesOf(base.tensors()));
  if (!names.ok()) return names.status();
  return TrainedTensors{TensorsOf(base.tensors(), names->image), TensorsOf(base.tensors(), names->text)};
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
