#pragma once

#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/reward.pb.h"
#include "reward_server/scoring/scorer.h"

namespace lvrpo {

// Checks a request and turns it into images or texts. Sizes are checked before a PNG is decoded, and what all
// items hold is bounded. InvalidArgument names the item that is wrong.
absl::StatusOr<ScoringGroup> DecodeRequest(const v1::ScoreRequest& request);

}  // namespace lvrpo
