#include "reward_server/scoring.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "data/prompts.h"
#include "reward_server/combine.h"
#include "verifiers/rules.h"

namespace lvrpo {
namespace {

constexpr int kMaxSide = 1024;  // pixels

v1::ComponentScore ToComponent(const Scorer& scorer, const LaneAnswer& answer, size_t index) {
  v1::ComponentScore component;
  component.set_name(scorer.name());
  component.set_scorer_digest(scorer.digest());
  component.set_outcome(answer.outcome);
  component.set_detail(answer.detail);
  if (answer.outcome != v1::ComponentScore::OK) return component;
  const Score& score = answer.scores[index];
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

// Said of every sample of a prompt that no scorer here can judge, so that nobody takes silence for a reward
// of 0.
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

absl::StatusOr<RgbImage> DecodeImage(const v1::RgbImage& image, int index) {
  if (image.width() < 1 || image.height() < 1 || image.width() > kMaxSide || image.height() > kMaxSide) {
    return absl::InvalidArgumentError(absl::StrCat("item ", index, ": an image of ", image.width(), "x",
                                                   image.height(), " pixels; sides of 1 to ", kMaxSide,
                                                   " pixels can be scored"));
  }
  const size_t want = size_t{3} * image.width() * image.height();
  if (image.pixels().size() != want) {
    return absl::InvalidArgumentError(absl::StrCat("item ", index, ": ", image.pixels().size(),
                                                   " bytes of pixels where width * height * 3 = ", want,
                                                   " belong"));
  }
  RgbImage decoded;
  decoded.width = image.width();
  decoded.height = image.height();
  decoded.pixels.assign(image.pixels().begin(), image.pixels().end());
  return decoded;
}

}  // namespace

absl::StatusOr<ScoringBatch> DecodeRequest(const v1::ScoreRequest& request) {
  if (request.prompt().task() == v1::TASK_KIND_UNSPECIFIED) {
    return absl::InvalidArgumentError(absl::StrCat("prompt '", request.prompt().id(),
                                                   "' has no task: set TASK_KIND_IMAGE or TASK_KIND_TEXT"));
  }
  if (absl::Status status = CheckPromptBounds(request.prompt()); !status.ok()) return status;
  if (absl::Status status = CheckPromptRules(request.prompt()); !status.ok()) return status;
  if (request.items().empty()) return absl::InvalidArgumentError("the request has no items to score");
  ScoringBatch batch;
  batch.prompt = request.prompt();
  batch.want_evidence = request.want_evidence();
  for (int i = 0; i < request.items_size(); ++i) {
    if (batch.prompt.task() == v1::TASK_KIND_TEXT) {
      batch.texts.push_back(request.items(i).text());
      continue;
    }
    absl::StatusOr<RgbImage> image = DecodeImage(request.items(i).image(), i);
    if (!image.ok()) return image.status();
    batch.images.push_back(*std::move(image));
  }
  return batch;
}

ScorerSet::ScorerSet(std::vector<std::unique_ptr<Scorer>> scorers, std::map<std::string, double> weights)
    : scorers_(std::move(scorers)), weights_(std::move(weights)) {
  std::erase_if(scorers_, [this](const auto& scorer) { return !weights_.contains(scorer->name()); });
}

v1::ScoreResponse ScorerSet::Score(const ScoringBatch& batch) {
  std::vector<Answer> answers;
  for (const std::unique_ptr<Scorer>& scorer : scorers_) {
    if (!scorer->AppliesTo(batch.prompt)) continue;
    const ScoringBatch* const only = &batch;
    answers.push_back({scorer.get(), std::move(CallScorer(*scorer, {&only, 1})[0])});
  }
  return Assemble(batch, std::move(answers));
}

v1::ScoreResponse ScorerSet::Assemble(const ScoringBatch& batch, std::vector<Answer> answers) const {
  v1::ScoreResponse response;
  for (size_t i = 0; i < batch.size(); ++i) {
    v1::ItemScore& item = *response.add_items();
    for (auto& [scorer, answer] : answers) {
      *item.add_scores() = ToComponent(*scorer, answer, i);
      if (answer.outcome != v1::ComponentScore::OK) continue;
      for (v1::GroundingMap& map : answer.scores[i].maps) *item.add_maps() = std::move(map);
    }
    if (item.scores().empty()) *item.add_scores() = NobodyApplies(batch.prompt);
    const CombinedReward combined = Combine(weights_, {item.scores().begin(), item.scores().end()});
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
