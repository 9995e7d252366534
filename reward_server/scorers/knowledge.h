#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "model/bagel.h"
#include "reward_server/scorers/choices.h"
#include "reward_server/scoring/scorer.h"

namespace lvrpo {

// "knowledge", R_know (paper, equation 8): a frozen unified model is asked the record's questions about the
// image. The score is the probability of the right answer among the question's choices, as a mean over the
// questions. A choice's log-probability is the sum over its tokens, and <|im_end|> unless all choices are
// single tokens. Images are grouped by size, which does not change their scores; one that the model cannot
// take makes the group InvalidArgument.
class KnowledgeScorer : public Scorer {
 public:
  KnowledgeScorer(Bagel model, std::unique_ptr<Tokenizer> tokenizer);

  std::string name() const override { return "knowledge"; }
  std::string digest() const override { return digest_; }
  std::string ComputeDigest() const override;
  bool AppliesTo(const v1::PromptRecord& prompt) const override {
    return prompt.task() == v1::TASK_KIND_IMAGE && prompt.questions_size() > 0;
  }
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override;

 private:
  // A tokenized question.
  struct Asked {
    std::vector<int32_t> ids;
    Choices choices;
  };

  absl::StatusOr<std::vector<Asked>> Read(const v1::PromptRecord& prompt) const;
  // Whether an image's side is a multiple of the patch size, and within the model's position embeddings.
  bool Fits(int side) const;
  // Tokens per image in one batch: with each choice of the question that has the most.
  int64_t RowTokens(const RgbImage& image, const std::vector<Asked>& questions) const;
  // [B]: the mean probability of the right answers; images of one valid size.
  torch::Tensor ScoreImages(const std::vector<RgbImage>& images, const std::vector<Asked>& questions) const;
  // [B, choices] in the host's memory, up to a constant of each row; `context` [B] holds image and question.
  torch::Tensor ChoiceLogProbs(const KvCache& context, const Choices& choices) const;

  const Bagel model_;
  const std::unique_ptr<Tokenizer> tokenizer_;
  const std::string digest_;
};

}  // namespace lvrpo
