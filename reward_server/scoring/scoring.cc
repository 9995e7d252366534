#include "reward_server/scoring/scoring.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reward_server/scoring/combine.h"

namespace lvrpo {
namespace {

v1::ComponentScore ToComponent(const Scorer& scorer, const LaneAnswer& answer, size_t index) {
  v1::ComponentScore component;
  component.set_name(scorer.name());
  component.set_scorer_digest(scorer.digest());
  component.set_outcome(answer.outcome);
  component.set_detail(answer.detail);
  if (answer.outcome != v1::ComponentScore::OK) return component;
  const SampleScore& score = answer.scores[index];
  if (!std::isfinite(score.value)) {
    component.set_outcome(v1::ComponentScore::SCORER_FAILED);
    component.set_detail(
        absl::StrCat("scorer '", scorer.name(), "' gave a score that is not a finite number"));
    return component;
  }
  component.set_score(score.value);
  component.set_detail(score.detail);
  return component;
}

v1::ComponentScore Logged(const std::string& name, float value, const std::string& digest) {
  v1::ComponentScore component;
  component.set_name(name);
  component.set_scorer_digest(digest);
  component.set_outcome(std::isfinite(value) ? v1::ComponentScore::OK : v1::ComponentScore::SCORER_FAILED);
  if (std::isfinite(value)) component.set_score(value);
  return component;
}

// Returned for every sample of a prompt that no scorer applies to, so that a missing score is never read as
// 0.
v1::ComponentScore NobodyApplies(const v1::PromptRecord& prompt) {
  v1::ComponentScore component;
  component.set_name("none");
  component.set_outcome(v1::ComponentScore::INVALID_INPUT);
  component.set_detail(absl::StrCat(
      "no scorer of this server applies to prompt '", prompt.id(),
      prompt.task() == v1::TASK_KIND_TEXT
          ? "', a text task: give it an answer or rules"
          : "', an image task: give it constraints, rules or questions, and their component a weight"));
  return component;
}

}  // namespace

float Disagreement(const std::vector<v1::ComponentScore>& scores) {
  float low = INFINITY, high = -INFINITY;
  for (const v1::ComponentScore& score : scores) {
    if (score.outcome() != v1::ComponentScore::OK) continue;
    low = std::min(low, score.score());
    high = std::max(high, score.score());
  }
  return high > low ? high - low : 0;
}

ScorerSet::ScorerSet(std::vector<std::unique_ptr<Scorer>> scorers, std::map<std::string, double> weights,
                     std::set<std::string> logged)
    : scorers_(std::move(scorers)), weights_(std::move(weights)), logged_(std::move(logged)) {
  std::erase_if(scorers_, [this](const auto& scorer) {
    return !weights_.contains(scorer->name()) && !logged_.contains(scorer->name());
  });
}

v1::ScoreResponse ScorerSet::Score(const ScoringGroup& group) {
  std::vector<Answer> answers;
  for (const std::unique_ptr<Scorer>& scorer : scorers_) {
    if (!scorer->AppliesTo(group.prompt)) continue;
    const ScoringGroup* const only = &group;
    answers.push_back({scorer.get(), std::move(CallScorer(*scorer, {&only, 1})[0])});
  }
  return Assemble(group, answers);
}

void ScorerSet::Add(const Answer& answer, size_t index, v1::ItemScore& item) const {
  const Scorer& scorer = *answer.scorer;
  *(Counts(scorer) ? item.add_scores() : item.add_logged()) = ToComponent(scorer, answer.answer, index);
  if (answer.answer.outcome != v1::ComponentScore::OK) return;
  for (const v1::GroundingMap& map : answer.answer.scores[index].maps) *item.add_maps() = map;
  for (const auto& [guard, value] : answer.answer.scores[index].guards) {
    if (logged_.contains(guard)) *item.add_logged() = Logged(guard, value, scorer.digest());
  }
}

v1::ScoreResponse ScorerSet::Assemble(const ScoringGroup& group, const std::vector<Answer>& answers) const {
  v1::ScoreResponse response;
  for (const Answer& answer : answers) {
    // INVALID_INPUT is the sample's fault.
    if (answer.answer.outcome == v1::ComponentScore::SCORER_FAILED && answer.answer.lasting != Lasting::kNo &&
        Counts(*answer.scorer) && response.unscorable().empty())
      response.set_unscorable(absl::StrCat(answer.scorer->name(), ": ", answer.answer.detail));
  }
  for (size_t i = 0; i < group.size(); ++i) {
    v1::ItemScore& item = *response.add_items();
    for (const Answer& answer : answers) Add(answer, i, item);
    if (item.scores().empty()) *item.add_scores() = NobodyApplies(group.prompt);
    const std::vector<v1::ComponentScore> scores = {item.scores().begin(), item.scores().end()};
    if (scores.size() > 1 && logged_.contains("disagreement"))
      *item.add_logged() = Logged("disagreement", Disagreement(scores), "disagreement/1");
    const CombinedReward combined = Combine(weights_, scores);
    item.set_reward(combined.reward);
    item.set_complete(combined.complete);
  }
  return response;
}

std::map<std::string, std::string> ScorerSet::Digests() const {
  std::map<std::string, std::string> digests;
  for (const auto& scorer : scorers_) digests[scorer->name()] = scorer->digest();
  return digests;
}

}  // namespace lvrpo
