#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/telemetry/metrics.h"
#include "proto/lvrpo/v1/reward.pb.h"
#include "reward_server/scoring/scoring_pool.h"
#include "tests/testing/cluster_member.h"
#include "tests/testing/cluster_world.h"

namespace lvrpo {

// A reward server's process: the real pool, with one scorer, RewardOf (fake_policy.h).
class ClusterRewards {
 public:
  // `world` must outlive it.
  ClusterRewards(ClusterWorld& world, const ClusterProcess& process);
  ~ClusterRewards();

  // Serves until the run has finished, and leaves.
  absl::Status Run();

  // A message to it.
  absl::StatusOr<v1::ScoreResponse> Score(const v1::ScoreRequest& request);

 private:
  ClusterWorld& world_;
  Metrics metrics_;
  ScorerSet scorers_;
  ScoringPool pool_;
  ClusterMember member_;
};

}  // namespace lvrpo
