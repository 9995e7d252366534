#pragma once

#include <memory>

#include "absl/status/status.h"
#include "common/flags/role_flags.h"
#include "common/shutdown.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "reward_server/scoring/scoring.h"
#include "reward_server/scoring/scoring_pool.h"
#include "reward_server/service.h"
#include "role/role_process.h"

namespace lvrpo {

// A reward server's process: warm scorers in a pool, and the service in front of it.
class RewardProcess {
 public:
  // All must outlive it.
  RewardProcess(const RoleFlags& flags, const v1::RunConfig& config, ScorerSet& scorers,
                ShutdownSignal& shutdown, RoleHealth& health);

  // Serves until `shutdown` is requested or the run that it joined (with --coordinator) has ended, answers
  // what it has taken, and leaves. DataLoss: a scorer is not what it was. Does not return while a scorer
  // hangs: the process ends then.
  absl::Status Run();

 private:
  absl::Status Join();
  // Until there is a reason to leave; OK unless it is an error.
  absl::Status Serve();

  const RoleFlags& flags_;
  const v1::RunConfig& config_;
  ShutdownSignal& shutdown_;
  RoleHealth& health_;
  ScoringPool pool_;
  RewardService service_;
  std::unique_ptr<RoleProcess> process_;  // its threads use all of the above
};

// Scores made-up samples, so that the first request finds memory, kernels and remote scorers ready. An error
// when a scorer that counts refuses what it is asked: nothing could be scored here.
absl::Status WarmUpScorers(const v1::RunConfig& config, ScorerSet& scorers);

}  // namespace lvrpo
