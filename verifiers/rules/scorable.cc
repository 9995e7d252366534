#include "verifiers/rules/scorable.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/config/reward_config.h"
#include "common/files/file_kind.h"

namespace lvrpo {
namespace {

// Why the component cannot judge a prompt to which it applies, or "".
std::string WrongForInstruction(const v1::PromptRecord& prompt, const v1::RewardConfig& reward) {
  int64_t asked = 0;
  for (const v1::ObjectConstraint& object : prompt.constraints().objects()) asked += object.count();
  if (asked > kMostAskedObjects) {
    return absl::StrCat("its constraints ask for ", asked, " objects; at most ", kMostAskedObjects,
                        " can be checked");
  }
  const bool detects = std::any_of(prompt.rules().begin(), prompt.rules().end(),
                                   [](const v1::Rule& rule) { return rule.has_detected_objects(); });
  return detects && reward.detector().empty()
             ? "it has a rule about detected objects, and there is no detector: set reward.detector"
             : "";
}

}  // namespace

absl::Status CheckScorable(const v1::PromptRecord& prompt, const v1::RewardConfig& reward) {
  const auto refuse = [&](const auto&... words) {
    return absl::InvalidArgumentError(
        absl::StrCat("prompt '", OneLine(prompt.id()), "' can never be scored: ", words...));
  };
  const bool image = prompt.task() == v1::TASK_KIND_IMAGE;
  bool judged = false;
  for (const auto& entry : ComponentWeights(reward)) {
    const std::string& component = entry.first;
    bool applies = false;
    std::string wrong;
    if (component == "grounding") {
      applies = image;
    } else if (component == "instruction") {
      applies = prompt.rules_size() > 0 || (image && prompt.has_constraints());
      if (applies) wrong = WrongForInstruction(prompt, reward);
    } else if (component == "knowledge") {
      applies = image && prompt.questions_size() > 0;
    } else if (component == "exact_match") {
      applies = !image && !prompt.answer().empty();
    } else {
      applies = std::any_of(reward.external().begin(), reward.external().end(), [&](const auto& external) {
        return external.name() == component && AppliesToTask(external, prompt.task());
      });
    }
    if (!wrong.empty()) return refuse(wrong);
    judged = judged || applies;
  }
  if (judged) return absl::OkStatus();
  return refuse("no component with a weight applies to it: give it ",
                image ? "constraints, rules or questions, and their component a weight"
                      : "an answer, or rules and reward.instruction_weight");
}

}  // namespace lvrpo
