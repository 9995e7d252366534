#include "reward_server/scorers/exact_match.h"

#include "data/unicode/unicode.h"
#include "verifiers/answers/final_text.h"
#include "verifiers/answers/folded.h"

namespace lvrpo {

absl::StatusOr<std::vector<SampleScore>> ExactMatchScorer::ScoreGroup(const ScoringGroup& group) {
  const std::string want = Folded(unicode::RepairUtf8(group.prompt.answer()), Spaces::kSingle);
  std::vector<SampleScore> scores;
  scores.reserve(group.texts.size());
  for (const std::string& text : group.texts) {
    const std::string given = Folded(FinalText(unicode::RepairUtf8(text)), Spaces::kSingle);
    scores.push_back({.value = given == want ? 1.0f : 0.0f, .detail = "", .maps = {}});
  }
  return scores;
}

}  // namespace lvrpo
