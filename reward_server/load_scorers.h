#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/telemetry/metrics.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "reward_server/scoring/scoring.h"

namespace lvrpo {

// The scorers that a run's settings ask for: with their frozen models loaded from the run's folders to
// reward.device; remote ones are queried for their digests. Errors name the file or the address; Unavailable:
// there is no such device, which is found before anything is read, or a remote scorer cannot be reached.
// `metrics` must outlive the scorers.
absl::StatusOr<std::unique_ptr<ScorerSet>> LoadScorers(const v1::RunConfig& config, Metrics& metrics);

}  // namespace lvrpo
