#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "collectives/collectives.h"

namespace lvrpo {

struct GlooOptions {
  std::string rendezvous;  // host:port of rank 0's (rendezvous.h)
  std::string epoch;       // keeps communicators of one rendezvous apart
  int rank = 0, size = 1;
  std::string host;  // literal address of this machine, at which the other ranks reach it
  absl::Duration meeting = absl::Seconds(60);   // how long to wait for the other ranks
  absl::Duration deadline = absl::Seconds(60);  // of an operation
};

// A communicator of CPU ranks over c10d's Gloo (TCP), on host memory. Blocks until all ranks are there.
// DeadlineExceeded when they are not; Unavailable when the rendezvous cannot be reached.
//
// Gloo cannot abort: Abort() makes later calls fail, a blocked one lasts until its deadline. Sums have the
// same bits on all ranks, in an order that depends on Gloo.
absl::StatusOr<std::unique_ptr<Collectives>> ConnectGloo(const GlooOptions& options);

}  // namespace lvrpo
