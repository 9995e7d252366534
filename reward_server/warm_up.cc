#include "reward_server/warm_up.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "data/prompts/prompts.h"

namespace lvrpo {
namespace {

RgbImage Noise(ImageSize size, int seed) {
  RgbImage image = {size.width, size.height, {}};
  image.pixels.resize(size_t{3} * static_cast<size_t>(size.width) * static_cast<size_t>(size.height));
  uint32_t state = static_cast<uint32_t>(seed) * 2654435761u + 1;
  for (uint8_t& value : image.pixels) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<uint8_t>(state >> 24);
  }
  return image;
}

ScoringGroup MadeUp(const v1::PromptRecord& prompt, const v1::RolloutConfig& rollout) {
  ScoringGroup group;
  group.prompt = prompt;
  for (int i = 0; i < rollout.group_size(); ++i) {
    if (prompt.task() == v1::TASK_KIND_TEXT) {
      group.texts.push_back("nothing");
    } else {
      group.images.push_back(Noise(ImageSizeOf(prompt, rollout), i));
    }
  }
  return group;
}

}  // namespace

std::vector<v1::PromptRecord> WarmUpPrompts(const v1::DataConfig& data, const ScorerSet& scorers) {
  std::vector<v1::PromptRecord> prompts;
  for (const auto* files : {&data.image_prompts(), &data.text_prompts()}) {
    if (files->empty()) continue;
    const absl::StatusOr<std::vector<v1::PromptRecord>> records = ReadPromptFile(files->Get(0));
    if (!records.ok()) continue;
    std::set<size_t> chosen;
    for (const std::unique_ptr<Scorer>& scorer : scorers.scorers()) {
      const auto first = std::find_if(records->begin(), records->end(), [&](const v1::PromptRecord& record) {
        return scorer->AppliesTo(record);
      });
      if (first != records->end()) chosen.insert(static_cast<size_t>(first - records->begin()));
    }
    for (const size_t index : chosen) prompts.push_back((*records)[index]);
  }
  return prompts;
}

WarmUpReport WarmUp(ScorerSet& scorers, const std::vector<v1::PromptRecord>& prompts,
                    const v1::RolloutConfig& rollout) {
  WarmUpReport report;
  for (const v1::PromptRecord& prompt : prompts) {
    const ScoringGroup group = MadeUp(prompt, rollout);
    const ScoringGroup* const only = &group;
    for (const std::unique_ptr<Scorer>& scorer : scorers.scorers()) {
      if (!scorer->AppliesTo(prompt)) continue;
      const LaneAnswer answer = std::move(CallScorer(*scorer, {&only, 1})[0]);
      if (answer.outcome == v1::ComponentScore::OK) continue;
      report.problems.push_back(absl::StrCat(scorer->name(), ": ", answer.detail));
      if (answer.lasting != Lasting::kRefused || !scorers.Counts(*scorer) || !report.refused.ok()) continue;
      report.refused = absl::FailedPreconditionError(absl::StrCat(
          "scorer '", scorer->name(), "' refuses what it is asked, and will again: ", answer.detail));
    }
  }
  return report;
}

}  // namespace lvrpo
