#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "reward_server/scoring.h"

namespace lvrpo {

// The scorers that a run's settings ask for, with their frozen models loaded from the run's folders.
absl::StatusOr<std::unique_ptr<ScorerSet>> LoadScorers(const v1::RunConfig& config);

}  // namespace lvrpo
