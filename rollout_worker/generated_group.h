#pragma once

#include "proto/lvrpo/v1/coordinator.pb.h"
#include "proto/lvrpo/v1/reward.pb.h"
#include "proto/lvrpo/v1/trajectory.pb.h"

namespace lvrpo {

// A sampled group before it is scored.
struct GeneratedGroup {
  v1::Lease lease;
  v1::TrajectoryGroup trajectory;  // without rewards
  v1::ScoreRequest score_request;
  bool log_probs_finite = true;
  double prefill_seconds = 0, sample_seconds = 0, decode_seconds = 0;
};

}  // namespace lvrpo
