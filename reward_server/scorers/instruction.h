#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/choices.h"
#include "reward_server/scorers/objects.h"
#include "reward_server/scorers/rule_judge.h"
#include "reward_server/scoring/scorer.h"

namespace lvrpo {

// How many of the rules that a prompt's constraints imply hold for these objects: each requested object is
// present (count, shape, colour), each relation holds, nothing else is present, the size is as requested.
// Objects are assigned to requests so that the most rules hold. REQUIRES: counts of at least 1, relations
// between existing constraints, at most about a dozen of each (exhaustive search).
struct RuleResult {
  int rules = 0;
  int hold = 0;
  std::string broken;  // the rules that do not hold, in words
};
RuleResult ApplyRules(const v1::Constraints& constraints, const std::vector<SegmentedObject>& objects,
                      int width, int height);

// "instruction", R_ins (paper, equation 7): a prompt's constraints, checked on the objects that segmentation
// finds, and its rules (docs/rules.md).
class InstructionScorer : public Scorer {
 public:
  // All rules hold; or the mean of their grades, where a rule that a constraint implies has grade 0 or 1.
  using Form = InstructionForm;
  // `detector` may be null: prompts with rules about detected objects cannot be scored then.
  explicit InstructionScorer(Form form, std::unique_ptr<ObjectDetector> detector = nullptr)
      : form_(form), judge_(std::move(detector)) {}

  std::string name() const override { return "instruction"; }
  std::string digest() const override {
    return absl::StrCat("instruction/", form_ == Form::kProduct ? "product" : "mean", "/3",
                        judge_.digest().empty() ? "" : "/", judge_.digest());
  }
  bool AppliesTo(const v1::PromptRecord& prompt) const override {
    return prompt.rules_size() > 0 || (prompt.task() == v1::TASK_KIND_IMAGE && prompt.has_constraints());
  }
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override;

 private:
  const Form form_;
  const ObjectFinder finder_;
  RuleJudge judge_;
};

}  // namespace lvrpo
