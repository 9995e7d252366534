#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/flags/role_flags.h"

// What each rank of a learner has to itself.
namespace lvrpo {

// In the run folder. Rank 0 has the names that a learner of one rank has, so that groups which wait there
// survive a change of the number of ranks, and a learner of one rank does not work next to one of several.
std::string SpoolFolderOf(const std::string& run_dir, int rank);
std::string LockFileOf(const std::string& run_dir, int rank);
// Removes the spools of ranks from `ranks` on, which are no more. For rank 0, once all ranks are there.
void RemoveSpoolsFrom(const std::string& run_dir, int ranks);

// FailedPrecondition when ranks would talk to each other over a network that nobody said may be trusted.
absl::Status CheckRankNetwork(const RoleFlags& flags, bool trusted);

// The host at which the other ranks reach this process.
absl::StatusOr<std::string> HostForRanks(const RoleFlags& flags);

}  // namespace lvrpo
