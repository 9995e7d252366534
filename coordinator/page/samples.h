#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

// The evaluations of a run folder, as the live page shows them: RUN/images/<evaluation>/. Bounded: what
// writes them is this project, but a run folder may hold anything.
namespace lvrpo {

// Steps of an evaluation by its folder's name: 0 for "before", 100 for "step_000100", `steps` for "after".
// nullopt: no name that evaluations have.
std::optional<int64_t> StepsOfEvaluation(absl::string_view name, int64_t steps);

// Evaluations that are there, by their steps.
std::multimap<int64_t, std::string> EvaluationsOf(const std::string& run_dir, int64_t steps);

// The "samples" of SamplesJson, of one evaluation.
nlohmann::json SamplesOf(const std::string& run_dir, const std::string& evaluation);

// {"heldout": [[step, score, standard error], ...], "step": s, "samples": [{"image": path of ReadSample,
// "prompt", "kind", "correct", "reward", "scores": {component: score}}, ...]} with the samples of the newest
// evaluation that has some. `steps`: committed ones.
nlohmann::json SamplesJson(const std::string& run_dir, int64_t steps);

// The PNG file of "<evaluation>/<file>". InvalidArgument for any name that no evaluation gives a file.
absl::StatusOr<std::string> ReadSample(const std::string& run_dir, absl::string_view name);

}  // namespace lvrpo
