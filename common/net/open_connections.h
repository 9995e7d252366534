#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"

namespace lvrpo {

// The connections that a server has, bounded in all and for each host. Their owner closes them without a
// word: whether one is still open is looked up when a bound is reached. One thread.
class OpenConnections {
 public:
  struct Limits {
    size_t in_all, per_host;
  };
  // Half of the descriptors that the process may have, at most 16,384, so that the other half stays for files
  // and for its own connections; for one host half of that, at most 2,048.
  static Limits LimitsFor(size_t descriptors);
  // For the descriptors of this process.
  static Limits OwnLimits();

  // What tells an open socket from a later one with the same descriptor; 0: it is closed.
  using Identity = std::function<uint64_t(int fd)>;
  explicit OpenConnections(Limits limits, Identity identity = nullptr);

  // Takes in a connection. ResourceExhausted says which bound it would exceed.
  absl::Status Add(int fd, const std::string& host);

 private:
  using OfHost = std::map<int, uint64_t>;  // descriptor -> identity
  // Forgets those that were closed.
  void Sweep(OfHost& connections);
  void SweepAll();

  const Limits limits_;
  const Identity identity_;
  std::map<std::string, OfHost> hosts_;
  size_t open_ = 0;
};

}  // namespace lvrpo
