#include "reward_server/warm_up.h"

#include "absl/strings/str_cat.h"
#include "data/prompts.h"

namespace lvrpo {
namespace {

constexpr int kSide = 64;  // pixels

RgbImage Noise(int seed) {
  RgbImage image = {kSide, kSide, std::vector<uint8_t>(size_t{3} * kSide * kSide)};
  uint32_t state = static_cast<uint32_t>(seed) * 2654435761u + 1;
  for (uint8_t& value : image.pixels) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<uint8_t>(state >> 24);
  }
  return image;
}

}  // namespace

std::vector<v1::PromptRecord> FirstPrompts(const v1::DataConfig& data) {
  std::vector<v1::PromptRecord> prompts;
  for (const auto* files : {&data.image_prompts(), &data.text_prompts()}) {
    if (files->empty()) continue;
    const absl::StatusOr<std::vector<v1::PromptRecord>> records = ReadPromptFile(files->Get(0));
    if (records.ok() && !records->empty()) prompts.push_back((*records)[0]);
  }
  return prompts;
}

std::vector<std::string> WarmUp(ScorerSet& scorers, const std::vector<v1::PromptRecord>& prompts,
                                int samples) {
  std::vector<std::string> problems;
  for (const v1::PromptRecord& prompt : prompts) {
    ScoringBatch batch;
    batch.prompt = prompt;
    for (int i = 0; i < samples; ++i) {
      if (prompt.task() == v1::TASK_KIND_TEXT) {
        batch.texts.push_back("nothing");
      } else {
        batch.images.push_back(Noise(i));
      }
    }
    const v1::ScoreResponse response = scorers.Score(batch);
    for (const auto* scores : {&response.items(0).scores(), &response.items(0).logged()}) {
      for (const v1::ComponentScore& score : *scores) {
        if (score.outcome() == v1::ComponentScore::OK) continue;
        problems.push_back(absl::StrCat(score.name(), ": ", score.detail()));
      }
    }
  }
  return problems;
}

}  // namespace lvrpo
