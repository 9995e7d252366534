#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"
#include "model/autoencoder.h"
#include "model/bagel.h"
#include "model/weights/lora.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// The adapters that train.lora asks for: one on each linear layer of `shapes` that the patterns of the tasks
// in use match (train.image.trainable, train.text.trainable). nullopt: the layers themselves are trained.
std::optional<LoraConfig> TrainedAdapters(const v1::RunConfig& config, const ShapeMap& shapes);

// Names and shapes of the run's policy, adapters included. FailedPrecondition when train.lora finds no linear
// layer, InvalidArgument for the errors of LoraShapes.
absl::StatusOr<ShapeMap> RunPolicyShapes(const v1::RunConfig& config, const BagelConfig& model);

// `base` with fresh adapters where train.lora asks for them; they change nothing yet. Errors of
// RunPolicyShapes.
absl::StatusOr<Bagel> WithTrainedAdapters(const v1::RunConfig& config, Bagel base);

// The policy of a run before its first step, the same in every process: the model folder's in
// model.weights_dtype on `device`, with those adapters. Errors of Bagel::Load too. `map`: views of the
// folder's files (WeightReadOptions), unless CastsWeights().
absl::StatusOr<Bagel> LoadRunPolicy(const v1::RunConfig& config, torch::Device device, bool map = false);
// Whether the files of a model hold other dtypes than model.weights_dtype.
bool CastsWeights(const v1::RunConfig& config, const StoredWeights& weights);

// `base` with trained tensors as they are published, fp32, in the dtypes that it computes with. Errors of
// Bagel::WithTensors.
absl::StatusOr<Bagel> WithPublished(const Bagel& base, const TensorMap& trained, const std::string& source);

// What samples from a run's policy: prompts become ids, latents become images.
struct RunModel {
  Bagel policy;  // LoadRunPolicy
  Autoencoder autoencoder;
  std::unique_ptr<Tokenizer> tokenizer;
};
absl::StatusOr<RunModel> LoadRunModel(const v1::RunConfig& config, torch::Device device);

}  // namespace lvrpo
