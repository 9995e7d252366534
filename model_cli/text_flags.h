#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "generation/text_engine.h"
#include "generation/unified_model.h"

namespace lvrpo {

// How text is sampled: for `ask`, and for the thinking of `generate`.
struct TextFlags {
  int max_tokens = 1000, top_k = 0;
  double temperature = 0, top_p = 1;
  std::vector<std::string> stop;
  uint64_t seed = 0;
  int64_t samples = 1;
  int64_t kv_mib = 4096;

  void AddTo(CLI::App& app);
  // Answers to one context, with progress on stderr. InvalidArgument when context and answer do not fit the
  // model's positions.
  absl::StatusOr<TextSamples> Answer(const UnifiedModel& model, const KvCache& context) const;
  // Without special tokens, cut before the first stop string.
  std::string TextOf(const UnifiedModel& model, const std::vector<int32_t>& ids) const;
};

}  // namespace lvrpo
