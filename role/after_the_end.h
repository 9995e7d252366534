#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/flags/role_flags.h"
#include "common/shutdown.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "role/role_health.h"

// A process of a pool whose run is over.
namespace lvrpo {

// What the coordinator says about its run, or says nothing.
enum class RunStands { kUnknown, kGoesOn, kOver };
// Over: it has finished, or drains. Pure.
RunStands StandingOf(const absl::StatusOr<v1::GetStatusResponse>& status);

// Asks the coordinator, briefly: a process that comes after the end need not load anything.
RunStands AskStanding(const RoleFlags& flags, const v1::RunConfig& config);

// Waits for a signal (OK), holding no memory that it does not need. Aborted: the run goes on, or another one
// is there now, so that this process should be started again. `between`: two questions about that.
absl::Status RestAfterTheEnd(const RoleFlags& flags, const v1::RunConfig& config,
                             const ShutdownSignal& shutdown, RoleHealth& health,
                             absl::Duration between = absl::Seconds(5));

}  // namespace lvrpo
