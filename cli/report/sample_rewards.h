#pragma once

#include "absl/status/status.h"
#include "common/run_folder/run_folder.h"

namespace lvrpo {

// Scores the sample images of the evaluations before and after training, with evidence, by a reward server
// started for this; writes images/<before|after>/rewards.json: [{"id", "reward", "scores": {name:
// {"score", "detail"}}, "maps": [{"phrase", "rows", "columns", "values"}]}].
absl::Status ScoreSamples(const RunFolder& folder);

}  // namespace lvrpo
