#pragma once

#include "absl/status/status.h"
#include "common/config/config.h"
#include "common/flags/role_flags.h"
#include "common/shutdown.h"

namespace lvrpo {

// A coordinator's process: opens the records of the run folder, serves the run until it has finished or was
// drained and every member has left, and ends; with --stay it goes on answering until `shutdown`. Makes the
// folder's config.yaml and run.json where they are missing. Aborted: `shutdown` came while the run goes on,
// with the next coordinator. Other errors: the folder, the records or a port cannot be used; whatever fatal()
// of the service says; NotFound when the run folder is gone.
absl::Status CoordinateRun(const RoleFlags& flags, const LoadedConfig& config, ShutdownSignal& shutdown);

}  // namespace lvrpo
