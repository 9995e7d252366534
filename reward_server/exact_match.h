#pragma once

#include "reward_server/scorer.h"

namespace lvrpo {

// Lower case, surrounding white space cut, inner runs of white space as one blank.
std::string NormalizeAnswer(const std::string& text);

// "exact_match", for TEXT tasks with an answer: 1 when the normalised answer equals the record's, else 0.
class ExactMatchScorer : public Scorer {
 public:
  std::string name() const override { return "exact_match"; }
  std::string digest() const override { return "exact_match/1"; }
  bool AppliesTo(const v1::PromptRecord& prompt) const override {
    return prompt.task() == v1::TASK_KIND_TEXT && !prompt.answer().empty();
  }
  absl::StatusOr<std::vector<Score>> ScoreBatch(const ScoringBatch& batch) override;
};

}  // namespace lvrpo
