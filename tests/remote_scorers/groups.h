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
inline ScoringGroup ImageGroup(int count) {
  ScoringGroup group;
  group.prompt.set_id("p1");
  group.prompt.set_task(v1::TASK_KIND_IMAGE);
  group.prompt.set_text("a red circle");
  for (int i = 0; i < count; ++i) group.images.push_back(PlainImage(4, 3, static_cast<uint8_t>(i)));
  return group;
}

inline ScoringGroup TextGroup(const std::vector<std::string>& texts) {
  ScoringGroup group;
  group.prompt.set_id("p2");
  group.prompt.set_task(v1::TASK_KIND_TEXT);
  group.prompt.set_text("How many?");
  group.texts = texts;
  return group;
}

}  // namespace lvrpo
