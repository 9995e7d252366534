#include "policy/run_policy.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/config/choices.h"
#include "model/bagel_folder.h"
#include "model/weights/moved.h"
#include "model/weights/tensor_dtypes.h"
#include "policy/contract.h"

namespace lvrpo {

std::optional<LoraConfig> TrainedAdapters(const v1::RunConfig& config, const ShapeMap& shapes) {
  const v1::LoraTrainingConfig& settings = config.train().lora();
  if (settings.rank() == 0) return std::nullopt;
  LoraConfig lora = {
      .rank = settings.rank(), .alpha = settings.alpha(), .rslora = settings.rslora(), .modules = {}};
  const auto patterns = [](const v1::OptimizerConfig& optimizer) {
    return std::vector<std::string>(optimizer.trainable().begin(), optimizer.trainable().end());
  };
  const std::vector<std::string> image = patterns(config.train().image()),
                                 text = patterns(config.train().text());
  for (const auto& [name, shape] : shapes) {
    const bool trained = (UsesImages(config) && MatchesPatterns(name, image)) ||
                         (UsesText(config) && MatchesPatterns(name, text));
    if (trained && IsLinearWeight(shapes, name)) lora.modules.push_back(name.substr(0, name.rfind('.')));
  }
  return lora;
}

absl::StatusOr<ShapeMap> RunPolicyShapes(const v1::RunConfig& config, const BagelConfig& model) {
  ShapeMap shapes = Bagel::ExpectedTensors(model);
  const std::optional<LoraConfig> lora = TrainedAdapters(config, shapes);
  if (!lora.has_value()) return shapes;
  if (lora->modules.empty()) {
    return absl::FailedPreconditionError(
        "train.lora: no linear layer of the policy matches the trainable patterns");
  }
  absl::StatusOr<ShapeMap> adapters = LoraShapes(shapes, *lora);
  if (!adapters.ok())
    return absl::InvalidArgumentError(absl::StrCat("train.lora: ", adapters.status().message()));
  shapes.merge(*adapters);
  return shapes;
}

absl::StatusOr<Bagel> WithTrainedAdapters(const v1::RunConfig& config, Bagel base) {
  const std::optional<LoraConfig> lora = TrainedAdapters(config, Bagel::ExpectedTensors(base.config()));
  if (!lora.has_value()) return base;
  if (absl::Status status = RunPolicyShapes(config, base.config()).status(); !status.ok()) return status;
  TensorMap tensors = base.tensors();
  if (absl::Status status = AddLora(tensors, *lora, config.seed()); !status.ok())
    return absl::InvalidArgumentError(absl::StrCat("train.lora: ", status.message()));
  return Bagel::Create(base.config(), std::move(tensors), "the policy with adapters", lora);
}

namespace {

absl::StatusOr<torch::Dtype> DtypeOf(const v1::RunConfig& config) {
  const absl::StatusOr<WeightsDtype> dtype =
      Choose(kWeightsDtypes, "model.weights_dtype", config.model().weights_dtype());
  if (!dtype.ok()) return dtype.status();
  return *dtype == WeightsDtype::kBf16 ? torch::kBFloat16 : torch::kFloat32;
}

}  // namespace

bool CastsWeights(const v1::RunConfig& config, const StoredWeights& weights) {
  const absl::StatusOr<torch::Dtype> wanted = DtypeOf(config);
  const auto& tensors = weights.index().tensors;
  return std::any_of(tensors.begin(), tensors.end(), [&](const auto& tensor) {
    const absl::StatusOr<torch::Dtype> stored = TorchDtype(tensor.second.dtype);
    return wanted.ok() && stored.ok() && *stored != *wanted;
  });
}

absl::StatusOr<Bagel> LoadRunPolicy(const v1::RunConfig& config, torch::Device device, bool map) {
  const absl::StatusOr<torch::Dtype> dtype = DtypeOf(config);
  if (!dtype.ok()) return dtype.status();
  absl::StatusOr<Bagel> base = Bagel::Load(config.model().policy(), {.dtype = *dtype, .map = map});
  base = OnDevice(std::move(base), device, config.model().policy());
  if (!base.ok()) return base.status();
  return WithTrainedAdapters(config, *std::move(base));
}

absl::StatusOr<Bagel> WithPublished(const Bagel& base, const TensorMap& trained, const std::string& source) {
  TensorMap tensors = trained;
  for (auto& [name, tensor] : tensors) {
    const torch::Tensor own = FindTensor(base.tensors(), name);
    if (own.defined() && tensor.is_floating_point()) tensor = tensor.to(own.device(), own.scalar_type());
  }
  return base.WithTensors(tensors, source);
}

absl::StatusOr<RunModel> LoadRunModel(const v1::RunConfig& config, torch::Device device) {
  const std::string& folder = config.model().policy();
  absl::StatusOr<Bagel> policy = LoadRunPolicy(config, device);
  if (!policy.ok()) return policy.status();
  absl::StatusOr<Autoencoder> autoencoder = LoadAutoencoder(folder, policy->config().autoencoder, device);
  if (!autoencoder.ok()) return autoencoder.status();
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(folder);
  if (!tokenizer.ok()) return tokenizer.status();
  return RunModel{*std::move(policy), *std::move(autoencoder), *std::move(tokenizer)};
}

}  // namespace lvrpo
