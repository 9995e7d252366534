#pragma once

#include "reward_server/scoring/scorer.h"

namespace lvrpo {

// "exact_match", for TEXT tasks with an answer: 1 when the answer, without the model's thinking
// (final_text.h), equals the record's as folded.h compares texts, else 0.
class ExactMatchScorer : public Scorer {
 public:
  std::string name() const override { return "exact_match"; }
  std::string digest() const override { return "exact_match/2"; }
  bool AppliesTo(const v1::PromptRecord& prompt) const override {
    return prompt.task() == v1::TASK_KIND_TEXT && !prompt.answer().empty();
  }
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override;
};

}  // namespace lvrpo
