#include "reward_server/scorers/guard_scorers.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "absl/strings/str_cat.h"
#include "verifiers/images/artefacts.h"

namespace lvrpo {
namespace {

constexpr double kReadForSure = 0.7;  // confidence
constexpr double kMuchText = 10;      // letters and digits

}  // namespace

absl::StatusOr<std::vector<SampleScore>> ArtefactScorer::ScoreGroup(const ScoringGroup& group) {
  std::vector<SampleScore> scores;
  for (const RgbImage& image : group.images)
    scores.push_back({.value = static_cast<float>(GridArtefacts(image)), .detail = "", .maps = {}});
  return scores;
}

bool WrittenTextScorer::AppliesTo(const v1::PromptRecord& prompt) const {
  return prompt.task() == v1::TASK_KIND_IMAGE &&
         std::none_of(prompt.rules().begin(), prompt.rules().end(),
                      [](const v1::Rule& rule) { return rule.has_written_text(); });
}

absl::StatusOr<std::vector<SampleScore>> WrittenTextScorer::ScoreGroup(const ScoringGroup& group) {
  std::vector<SampleScore> scores;
  for (const RgbImage& image : group.images) {
    const absl::StatusOr<ReadText> read = reader_.Read(image);
    if (!read.ok()) return read.status();
    SampleScore score;
    double characters = 0;
    for (const ReadWord& word : read->words) {
      const auto count = std::count_if(word.text.begin(), word.text.end(),
                                       [](unsigned char c) { return std::isalnum(c) != 0; });
      if (word.confidence < kReadForSure || count < 2) continue;
      characters += static_cast<double>(count);
      absl::StrAppend(&score.detail, score.detail.empty() ? "" : " ", word.text);
    }
    score.value = static_cast<float>(std::min(1.0, characters / kMuchText));
    scores.push_back(std::move(score));
  }
  return scores;
}

double OnePatchShare(const std::vector<std::vector<float>>& similarity) {
  double sum = 0;
  std::map<size_t, double> lost;  // patch -> what is lost without it
  for (const std::vector<float>& map : similarity) {
    size_t best = 0;
    float second = 0;
    for (size_t patch = 1; patch < map.size(); ++patch) {
      if (map[patch] > map[best]) {
        second = map[best];
        best = patch;
      } else {
        second = std::max(second, map[patch]);
      }
    }
    if (map.empty() || map[best] <= 0) continue;
    sum += static_cast<double>(map[best]);
    lost[best] += static_cast<double>(map[best] - std::max(0.0f, map.size() > 1 ? second : 0.0f));
  }
  double most = 0;
  for (const auto& [patch, value] : lost) most = std::max(most, value);
  return sum > 0 ? most / sum : 0;
}

}  // namespace lvrpo
