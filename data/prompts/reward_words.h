#pragma once

#include <memory>

#include "absl/status/status.h"
#include "data/tokenizer/tokenizer.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// Checks that the tokenizers of a run's reward models can encode what a prompt asks them. Immutable after
// loading; thread-safe.
class RewardWords {
 public:
  // The tokenizers of the referee and of the VQA model, of those that the run's weights use. One that cannot
  // be read here, or whose model is served by an endpoint, is skipped: its reward server reports problems.
  static RewardWords Load(const v1::RunConfig& config);

  // InvalidArgument names the prompt and the key phrase, question or choice that a tokenizer cannot encode,
  // or two choices that it encodes alike.
  absl::Status Check(const v1::PromptRecord& prompt) const;

 private:
  absl::Status CheckQuestion(const v1::Question& question) const;

  std::unique_ptr<const Tokenizer> referee_, vqa_;  // null: skipped
};

}  // namespace lvrpo
