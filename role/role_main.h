#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/exit_code.h"
#include "common/flags/role_flags.h"
#include "common/shutdown.h"
#include "common/tls/identity.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// A role's program: what its --help says, and what it does with flags and configuration.
struct RoleProgram {
  std::string name;         // of the binary
  std::string description;  // for --help
  std::string flags;        // letters of RoleFlags::AddTo
  std::string member_id;    // unless a flag says otherwise
  std::vector<std::string> required = {};
  absl::Status (*run)(const RoleFlags&, const v1::RunConfig&, ShutdownSignal&);
  int out_of_range = kExitBug;          // the exit code of OutOfRange
  PeerRole peer = PeerRole::kOperator;  // what its certificate must say
};

// The body of a role's main(): parses flags, loads the configuration, starts the log and runs it. Every error
// is explained on stderr or in the log. Returns the exit code.
int RunRole(const RoleProgram& program, int argc, char** argv);

}  // namespace lvrpo
