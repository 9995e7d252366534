#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace lvrpo {

// Where the ranks of a learner find each other: a c10d TCPStore that rank 0 serves, on one address only. It
// is neither encrypted nor authenticated: for trusted networks (learner.trusted_network).
class Rendezvous {
 public:
  virtual ~Rendezvous() = default;
  // host:port at which the other ranks reach it.
  virtual const std::string& address() const = 0;
};

// Serves one at `host`, a literal address, on a free port. Unavailable when the address is not this
// machine's.
absl::StatusOr<std::unique_ptr<Rendezvous>> ServeRendezvous(const std::string& host);

}  // namespace lvrpo
