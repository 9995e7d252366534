#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace lvrpo {

// Writes <run_dir>/report.html, one self-contained page: result, curves, images before and after with their
// rewards and grounding maps, timeline, configuration. Works on finished, running and stopped runs; a damaged
// file costs the part that needs it. Returns the page's path. NotFound when `run_dir` is no run folder.
absl::StatusOr<std::string> WriteReport(const std::string& run_dir);

}  // namespace lvrpo
