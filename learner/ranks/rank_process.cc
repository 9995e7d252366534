#include "learner/ranks/rank_process.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/files/filesystem.h"
#include "common/net/host_port.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr char kSpoolOfRank[] = "spool-";

}  // namespace

std::string SpoolFolderOf(const std::string& run_dir, int rank) {
  return JoinPath(run_dir, rank == 0 ? "spool" : absl::StrCat(kSpoolOfRank, rank));
}

std::string LockFileOf(const std::string& run_dir, int rank) {
  return JoinPath(run_dir, rank == 0 ? "learner.lock" : absl::StrCat("learner-", rank, ".lock"));
}

void RemoveSpoolsFrom(const std::string& run_dir, int ranks) {
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(run_dir);
  if (!names.ok()) return;  // they take room, and nothing else
  for (const std::string& name : *names) {
    int rank = 0;
    if (!absl::StartsWith(name, kSpoolOfRank) ||
        !absl::SimpleAtoi(name.substr(sizeof(kSpoolOfRank) - 1), &rank) || rank < ranks) {
      continue;
    }
    const absl::Status status = RemoveTree(JoinPath(run_dir, name));
    if (!status.ok()) spdlog::warn("{}", std::string(status.message()));
  }
}

absl::StatusOr<std::string> HostForRanks(const RoleFlags& flags) {
  const absl::StatusOr<HostPort> address = ReachableAddress(flags.listen, flags.advertise);
  if (!address.ok()) return address.status();
  return address->host;
}

absl::Status CheckRankNetwork(const RoleFlags& flags, bool trusted) {
  if (flags.ranks == 1 || trusted) return absl::OkStatus();
  for (const std::string& address : {flags.listen, flags.advertise}) {
    if (address.empty()) continue;
    const absl::StatusOr<HostPort> where = ParseHostPort(address, AddressUse::kListen);
    if (!where.ok()) return where.status();
    if (where->IsLoopback()) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "rank traffic is neither encrypted nor authenticated, and ", address,
        " is not a loopback address: set learner.trusted_network: true if the network is trusted"));
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
