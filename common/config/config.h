#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

struct LoadedConfig {
  v1::RunConfig config;
  // Dotted path of every field that was set -> where: "file.yaml:12" or "--set". The rest are defaults.
  std::map<std::string, std::string> origins;
};

// Processes that may train together.
constexpr int kMostLearnerRanks = 1024;

// The embedded default's settings.
v1::RunConfig DefaultRunConfig();

// Defaults, then the YAML file, then `overrides` ("train.steps=10"; lists in YAML's flow form). Strict:
// unknown and repeated keys, wrong types and values out of range are errors. InvalidArgument holds all of
// them, one a line, each with file:line, the field and what to do.
absl::StatusOr<LoadedConfig> LoadRunConfig(const std::string& path,
                                           const std::vector<std::string>& overrides);

// One setting given outside a file: "train.steps=10", and what messages call the place it came from (it
// begins with "--").
struct ConfigOverride {
  std::string text;
  std::string where = "--set";
};

// The strict reader that LoadRunConfig uses, for any message of settings: fills `message`, which holds the
// defaults, from YAML `text` (`source` is its name in messages), then from `overrides`, then runs `validate`
// over the values. Returns the origins, as in LoadedConfig, or InvalidArgument with every error.
absl::StatusOr<std::map<std::string, std::string>> FillConfig(
    const std::string& text, const std::string& source, const std::vector<ConfigOverride>& overrides,
    const std::function<std::vector<std::string>()>& validate, google::protobuf::Message& message);

// What is wrong with the values: ranges, enumerations, files that are missing. One sentence each, "field:
// ...".
std::vector<std::string> ValidateRunConfig(const v1::RunConfig& config);

// Every value as YAML, each with a comment saying where it came from.
std::string PrintConfig(const LoadedConfig& loaded);

// SHA-256 over the settings that decide results: everything but `name`, `out`, `local`, `rpc`, `checkpoints`,
// `coordinator` and, of `learner`, all but `ordered_sums`. Settings with numbers from 40 on count where they
// are not their defaults.
std::string ConfigDigest(const v1::RunConfig& config);

}  // namespace lvrpo
