#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// The mean difference of paired outcomes (1 right, 0 wrong) and half the width of its 95 % confidence
// interval.
struct PairedDifference {
  double mean = 0, half_width = 0;
  int count = 0;
};
PairedDifference ComparePairs(const std::vector<std::pair<bool, bool>>& before_after);

// Right or wrong, before and after, for every held-out item of a task ("image" or "text") that both
// evaluations have. The lines are those of their all.jsonl; damaged ones are left out.
std::vector<std::pair<bool, bool>> PairOutcomes(const std::vector<nlohmann::json>& before_lines,
                                                const std::vector<nlohmann::json>& after_lines,
                                                const std::string& task);

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

// Every line of a JSONL file that parses.
std::vector<nlohmann::json> ReadJsonLines(const std::string& path);

}  // namespace lvrpo
