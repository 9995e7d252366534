#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"
#include "model/autoencoder.h"
#include "model/bagel.h"
#include "policy/prompt_source.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "rollout_worker/generated_group.h"
#include "trajectory/sampled_group.h"

namespace lvrpo {

// One version of the policy as a worker samples from it. Immutable.
struct Policy {
  Bagel model;
  v1::PolicyVersion version;
};

// Samples the groups of a run. The output is a function of (seed, ordinal, weights) alone: the same bytes on
// any worker and any attempt. Immutable; thread-safe.
class Generator {
 public:
  Generator(v1::RunConfig config, Autoencoder autoencoder, const Tokenizer& tokenizer)
      : config_(std::move(config)), autoencoder_(std::move(autoencoder)), tokenizer_(tokenizer) {}

  // The G samples of one group in one batch: the prompt's context once, then images by SDE inside the window
  // and ODE outside (paper, section 4), or answers token by token.
  GeneratedGroup Generate(const Policy& policy, const PromptSource::Prompt& prompt,
                          const v1::Lease& lease) const;
  // The same without exceptions. InvalidArgument: the prompt is at fault, no worker can sample it. Other
  // errors are this process's: ResourceExhausted when memory is short, Internal for whatever LibTorch throws.
  absl::StatusOr<GeneratedGroup> TryGenerate(const Policy& policy, const PromptSource::Prompt& prompt,
                                             const v1::Lease& lease) const;

 private:
  // InvalidArgument for a prompt that the model cannot take, before anything is allocated.
  absl::Status CheckPrompt(const BagelConfig& model, const PromptSource::Prompt& prompt) const;
  // Each adds what is to be scored, and the seconds that it took, to `group`.
  ImageGroup GenerateImages(const Policy& policy, const PromptSource::Prompt& prompt,
                            GeneratedGroup& group) const;
  TextGroup GenerateTexts(const Policy& policy, const PromptSource::Prompt& prompt,
                          GeneratedGroup& group) const;

  const v1::RunConfig config_;
  const Autoencoder autoencoder_;
  const Tokenizer& tokenizer_;
};

}  // namespace lvrpo
