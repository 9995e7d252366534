#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace lvrpo::shapes {

struct PromptFileOptions {
  uint64_t seed = 1;
  int train_images_per_kind = 200;
  int heldout_images_per_kind = 200;
  int train_questions = 2400;
  int heldout_questions = 480;
};

// Writes train_image.jsonl, heldout_image.jsonl, train_text.jsonl, heldout_text.jsonl and the PNGs that the
// questions are about (images/) into `folder`. Held-out image prompts use held-out compositions only, train
// prompts none of them. A kind with fewer compositions than prompts repeats them under other ids.
absl::Status WritePromptFiles(const std::string& folder, const PromptFileOptions& options);

}  // namespace lvrpo::shapes
