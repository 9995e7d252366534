#pragma once

#include <string>
#include <vector>

#include "reward_server/objects.h"
#include "reward_server/scorer.h"

namespace lvrpo {

// How many of the rules that a prompt's constraints imply hold for these objects: each asked object is there
// (count, shape, colour), each relation holds, nothing else is there, the size is as asked. Objects are
// assigned to what was asked so that most rules hold. REQUIRES: counts of at least 1, relations between
// constraints that are there; the search is for a dozen of each.
struct RuleResult {
  int rules = 0;
  int hold = 0;
  std::string broken;  // the rules that do not hold, in words
};
RuleResult ApplyRules(const v1::Constraints& constraints, const std::vector<FoundObject>& objects, int width,
                      int height);

// "instruction", R_ins (paper, equation 7): rule checkers on the objects that segmentation finds.
class InstructionScorer : public Scorer {
 public:
  enum class Form { kProduct, kMean };  // all rules hold; the share of them
  explicit InstructionScorer(Form form) : form_(form) {}

  std::string name() const override { return "instruction"; }
  std::string digest() const override {
    return form_ == Form::kProduct ? "instruction/product/2" : "instruction/mean/2";
  }
  bool AppliesTo(const v1::PromptRecord& prompt) const override {
    return prompt.task() == v1::TASK_KIND_IMAGE && prompt.has_constraints();
  }
  absl::StatusOr<std::vector<Score>> ScoreBatch(const ScoringBatch& batch) override;

 private:
  const Form form_;
  const ObjectFinder finder_;
};

}  // namespace lvrpo
