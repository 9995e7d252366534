#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "model/paligemma.h"
#include "reward_server/scorers/choices.h"
#include "reward_server/scorers/image_processor.h"
#include "reward_server/scoring/scorer.h"

namespace lvrpo {

// "knowledge", R_know (paper, equation 8), by a frozen PaliGemma: it is asked "answer en {question}", the
// form of its training on questions, and a choice's probability is that of its tokens and the end token. The
// score is the right answer's probability among the choices, as a mean over the questions. When the choices
// together have little probability, the detail says so: the model prefers another answer.
class PaliGemmaScorer : public Scorer {
 public:
  // From a published folder with its tokenizer. Errors name the file.
  static absl::StatusOr<std::unique_ptr<PaliGemmaScorer>> Load(const std::string& folder,
                                                               torch::Device device = torch::kCPU);
  // `tokenizer` is loaded without control tokens.
  PaliGemmaScorer(PaliGemma model, std::unique_ptr<Tokenizer> tokenizer, const ImageProcessor& processor);

  std::string name() const override { return "knowledge"; }
  std::string digest() const override { return digest_; }
  std::string ComputeDigest() const override;
  bool AppliesTo(const v1::PromptRecord& prompt) const override {
    return prompt.task() == v1::TASK_KIND_IMAGE && prompt.questions_size() > 0;
  }
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override;

 private:
  // Log-probability of each choice, [B, choices], after image tokens [B, N, H] and a question.
  absl::StatusOr<torch::Tensor> ChoiceLogProbs(const torch::Tensor& image_tokens, const std::string& question,
                                               const Choices& choices) const;

  const PaliGemma model_;
  const std::unique_ptr<Tokenizer> tokenizer_;
  const ImageProcessor processor_;
  const std::string digest_;
};

}  // namespace lvrpo
