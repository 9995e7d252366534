#pragma once

#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/reward.pb.h"
#include "reward_server/scoring/scorer.h"

namespace lvrpo {

// Validates a request and decodes it into images or texts. Sizes are checked before a PNG is decoded, and the
// total over all items is bounded. InvalidArgument names the item that is wrong.
absl::StatusOr<ScoringGroup> DecodeRequest(const v1::ScoreRequest& request);

}  // namespace lvrpo
