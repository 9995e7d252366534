#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

struct Results {
  std::optional<nlohmann::json> summary;  // of a run that has trained and was evaluated after it
  std::string remark;                     // what is missing in them, and why; empty: nothing
  std::string report;                     // the page's path
};

// Writes a run's summary.json, once it has finished, and its report.html, however the run was started. Sample
// images that have no rewards yet are scored by a reward server started for this, with files named as in
// OpenRunFolder. Changes the working folder as that does. Errors of WriteReport and of writing.
absl::StatusOr<Results> WriteResults(const std::string& run_dir, const std::string& working_folder = "");

}  // namespace lvrpo
