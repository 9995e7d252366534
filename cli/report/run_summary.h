#pragma once

#include <string>
#include <vector>

#include "data/heldout/evaluation.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// Contents of summary.json (docs/operating.md lists the fields). `before`, `after`: scores.json of the
// two evaluations; the `_lines` are their all.jsonl; `records`: what `lvrpo-coordinator --describe` printed;
// `steps`: the lines of metrics.jsonl. Figures
// that these do not have are left out. Pure.
struct SummaryInput {
  std::string run_id, config_digest, weights_digest;
  uint64_t seed = 0;
  bool resumed = false;
  nlohmann::json before, after, records;
  std::vector<nlohmann::json> steps, before_lines, after_lines;
  std::map<std::string, double> seconds;  // by phase of `lvrpo run`
};
nlohmann::json MakeSummary(const SummaryInput& input);

// The summary as a person reads it, several lines.
std::string FormatSummary(nlohmann::json summary);

}  // namespace lvrpo
