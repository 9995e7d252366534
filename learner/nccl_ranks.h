#pragma once

#include "learner/ranks/rank_meeting.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// How ranks on GPUs meet: as `host` has them meet, which stays what numbers and words of the host are
// exchanged over, and NCCL for tensors. `gpu`: this rank's. `config` must outlive it.
RankTransport NcclRanks(RankTransport host, const v1::LearnerConfig& config, int gpu);

}  // namespace lvrpo
