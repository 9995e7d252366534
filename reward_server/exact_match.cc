#include "reward_server/exact_match.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace lvrpo {

std::string NormalizeAnswer(const std::string& text) {
  std::string normal = absl::AsciiStrToLower(text);
  absl::RemoveExtraAsciiWhitespace(&normal);
  return normal;
}

absl::StatusOr<std::vector<Score>> ExactMatchScorer::ScoreBatch(const ScoringBatch& batch) {
  const std::string want = NormalizeAnswer(batch.prompt.answer());
  std::vector<Score> scores;
  scores.reserve(batch.texts.size());
  for (const std::string& text : batch.texts) {
    scores.push_back({.value = NormalizeAnswer(text) == want ? 1.0f : 0.0f, .detail = "", .maps = {}});
  }
  return scores;
}

}  // namespace lvrpo
