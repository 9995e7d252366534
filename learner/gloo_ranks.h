#pragma once

#include "common/flags/role_flags.h"
#include "learner/ranks/rank_meeting.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// How ranks on CPUs meet: over Gloo, at a rendezvous that rank 0 serves. `flags` and `config` must outlive
// it.
RankTransport GlooRanks(const RoleFlags& flags, const v1::LearnerConfig& config);

}  // namespace lvrpo
