#include "common/net/open_connections.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

// Sockets have inode numbers that only come again after 2^32 others.
uint64_t InodeOf(int fd) {
  struct stat file = {};
  return fstat(fd, &file) == 0 && S_ISSOCK(file.st_mode) ? file.st_ino : 0;
}

}  // namespace

OpenConnections::Limits OpenConnections::LimitsFor(size_t descriptors) {
  const size_t in_all = std::clamp<size_t>(descriptors / 2, 2, 16384);
  return {.in_all = in_all, .per_host = std::min<size_t>(in_all / 2, 2048)};
}

OpenConnections::Limits OpenConnections::OwnLimits() {
  rlimit limit = {};
  return LimitsFor(getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024);
}

OpenConnections::OpenConnections(Limits limits, Identity identity)
    : limits_(limits), identity_(identity ? std::move(identity) : InodeOf) {}

absl::Status OpenConnections::Add(int fd, const std::string& host) {
  OfHost& own = hosts_[host];
  if (own.size() >= limits_.per_host) Sweep(own);
  if (own.size() >= limits_.per_host) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", limits_.per_host, " connections of one host at once"));
  }
  if (open_ >= limits_.in_all) SweepAll();  // may forget the host, too
  if (open_ >= limits_.in_all)
    return absl::ResourceExhaustedError(absl::StrCat("more than ", limits_.in_all, " connections at once"));
  if (hosts_[host].insert_or_assign(fd, identity_(fd)).second) ++open_;
  return absl::OkStatus();
}

void OpenConnections::Sweep(OfHost& connections) {
  open_ -= std::erase_if(connections, [&](const auto& connection) {
    return connection.second == 0 || identity_(connection.first) != connection.second;
  });
}

void OpenConnections::SweepAll() {
  for (auto& [host, connections] : hosts_) Sweep(connections);
  std::erase_if(hosts_, [](const auto& host) { return host.second.empty(); });
}

}  // namespace lvrpo
