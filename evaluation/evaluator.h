#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/image/image.h"
#include "data/tokenizer/tokenizer.h"
#include "evaluation/summary.h"
#include "model/autoencoder.h"
#include "model/bagel.h"
#include "model/latent_grid.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// A policy under evaluation.
struct EvaluatedPolicy {
  Bagel model;
  Autoencoder autoencoder;
  std::unique_ptr<Tokenizer> tokenizer;
  std::string weights_digest;
};

// The run's base policy on rollout.device, with the tensors of `weights` (a checkpoint's policy.safetensors)
// unless that is empty. Unavailable: there is no such device, which is found before anything is read.
absl::StatusOr<EvaluatedPolicy> LoadEvaluatedPolicy(const v1::RunConfig& config, const std::string& weights);

// The first `per_kind` records of each kind, with their index in the file, which is the key of their noise.
struct HeldOutPrompt {
  v1::PromptRecord record;
  uint32_t place = 0;
  LatentGrid grid = {};  // IMAGE: of the image that is sampled
};
// Errors of ReadPromptFile. The selected records are also checked against the policy: they are of this task,
// the tokenizer has their words, their source images can be read and have a size that the model takes, and
// the model can sample images of the size they ask for. Every wrong line is named.
absl::StatusOr<std::vector<HeldOutPrompt>> ReadHeldOut(const v1::RunConfig& config,
                                                       const EvaluatedPolicy& policy, v1::TaskKind task,
                                                       const std::string& path, int per_kind);

struct EvaluatedImage {
  ImageJudgement judgement;
  RgbImage image;
};
// One image per prompt by ODE sampling from fixed noise, judged by the independent checker. `progress` gets
// the number of images done.
absl::StatusOr<std::vector<EvaluatedImage>> EvaluateImages(const v1::RunConfig& config,
                                                           const EvaluatedPolicy& policy,
                                                           const std::vector<HeldOutPrompt>& prompts,
                                                           const std::function<void(size_t)>& progress);

// Greedy answers to held-out questions, compared exactly, and the probability of the right answer.
// `prompt_file` tells where source images lie.
absl::StatusOr<std::vector<AnswerJudgement>> EvaluateAnswers(const v1::RunConfig& config,
                                                             const EvaluatedPolicy& policy,
                                                             const std::string& prompt_file,
                                                             const std::vector<HeldOutPrompt>& prompts);

}  // namespace lvrpo
