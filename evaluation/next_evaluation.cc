#include "evaluation/next_evaluation.h"

namespace lvrpo {

std::optional<int64_t> NextEvaluation(const EvaluationFacts& facts) {
  const auto wanted = [&](int64_t step) {
    return facts.available.contains(step) && !facts.complete.contains(step);
  };
  if (!facts.complete.contains(0)) return 0;
  if (facts.finished) return wanted(facts.total) ? std::optional(facts.total) : std::nullopt;
  if (facts.every <= 0 || facts.step >= facts.total) return std::nullopt;
  const int64_t newest = facts.step / facts.every * facts.every;
  return newest > 0 && wanted(newest) ? std::optional(newest) : std::nullopt;
}

bool EvaluationIsDone(const EvaluationFacts& facts) {
  return facts.finished && facts.complete.contains(0) && facts.complete.contains(facts.total);
}

}  // namespace lvrpo
