#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

struct EvaluationOptions {
  std::string weights;  // policy.safetensors of a checkpoint; empty: the base policy
  std::string out;      // folder for the results
  int prompts_per_kind = 0, samples_per_kind = 6, threads = 1;
};

// Evaluates a policy on the held-out prompts and writes `out`: all.jsonl, samples.json with its pictures and,
// last, scores.json, whose contents it returns. Results of an earlier evaluation there are no longer valid
// from its first write on. Weights beside a manifest.json are of a checkpoint: DataLoss unless they are those
// that it names, and "version_digest" tells its version. Errors of LoadEvaluatedPolicy, ReadHeldOut and of
// writing. Loads the policy, and frees it when it is done.
absl::StatusOr<nlohmann::json> EvaluateInto(const v1::RunConfig& config, const EvaluationOptions& options);

// The version's digest of the checkpoint that holds `weights`; empty when there is no manifest beside them.
// DataLoss when that is damaged, or `compare`d weights are not those that it names.
absl::StatusOr<std::string> VersionDigestOf(const std::string& weights, bool compare);

}  // namespace lvrpo
