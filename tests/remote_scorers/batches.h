#pragma once

#include <string>
#include <vector>

#include "reward_server/scoring/scorer.h"

namespace lvrpo {

inline RgbImage PlainImage(int width, int height, uint8_t value) {
  return {.width = width,
          .height = height,
          .pixels = std::vector<uint8_t>(static_cast<size_t>(width * height * 3), value)};
}

// Images that differ.
inline ScoringBatch ImageBatch(int count) {
  ScoringBatch batch;
  batch.prompt.set_id("p1");
  batch.prompt.set_task(v1::TASK_KIND_IMAGE);
  batch.prompt.set_text("a red circle");
  for (int i = 0; i < count; ++i) batch.images.push_back(PlainImage(4, 3, static_cast<uint8_t>(i)));
  return batch;
}

inline ScoringBatch TextBatch(const std::vector<std::string>& texts) {
  ScoringBatch batch;
  batch.prompt.set_id("p2");
  batch.prompt.set_task(v1::TASK_KIND_TEXT);
  batch.prompt.set_text("How many?");
  batch.texts = texts;
  return batch;
}

}  // namespace lvrpo
