#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "proto/lvrpo/v1/common.pb.h"

// What a held-out evaluation leaves in its folder (docs/operating.md, images/*), read again: for reports, and
// for the coordinator's records.
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

// Every line of a JSONL file that parses.
std::vector<nlohmann::json> ReadJsonLines(const std::string& path);

// The evaluation in the folder images/<name> of a run, against images/before: weights of `step` steps.
// NotFound while it is not complete, DataLoss when its scores are damaged.
absl::StatusOr<v1::EvaluationRecord> ReadEvaluation(const std::string& run_dir, const std::string& name,
                                                    int64_t step);

// The folder below images/ for the weights of `step` steps of a run of `total`: before, step_000100, after.
std::string EvaluationName(int64_t step, int64_t total);

// Steps of the evaluations that are complete in a run's folder, in order.
std::vector<int64_t> CompleteEvaluations(const std::string& run_dir, int64_t total);

// {"step", "score", "standard_error", "images", "gain", "gain_confidence_95", "pairs", "text_accuracy",
// "questions", "digest", "unix_seconds"}; null: there was none. Pure.
nlohmann::json EvaluationJson(const v1::EvaluationRecord& record);

}  // namespace lvrpo
