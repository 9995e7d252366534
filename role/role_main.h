#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/exit_code.h"
#include "common/flags/role_flags.h"
#include "common/shutdown.h"
#include "common/tls/identity.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "role/role_health.h"

namespace lvrpo {

// A role's program: what its --help says, and what it does with flags and configuration.
struct RoleProgram {
  std::string name;         // of the binary
  std::string description;  // for --help
  std::string flags;        // letters of RoleFlags::AddTo
  std::string member_id;    // unless a flag says otherwise
  std::vector<std::string> required = {};
  PeerRole role = PeerRole::kOperator;  // in metrics; its certificate must be for it
  absl::Status (*run)(const RoleFlags&, const v1::RunConfig&, ShutdownSignal&, RoleHealth&);
  int out_of_range = kExitBug;  // the exit code of OutOfRange
  bool is_pool = false;  // of processes that come and go: nothing is left to do for one when the run is over
};

// The body of a role's main(): parses flags, loads the configuration, starts the log, shows its health and
// runs it. With --stay, a process whose run is over then waits for a signal. Every error is explained on
// stderr or in the log. Returns the exit code.
int RunRole(const RoleProgram& program, int argc, char** argv);

}  // namespace lvrpo
