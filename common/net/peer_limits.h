#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace lvrpo {

// Bounds what one peer can ask of a server: calls at once, and calls a second (a token bucket). Thread-safe.
class PeerLimits {
 public:
  // Far above what honest processes of one machine need: a worker makes a few calls a second.
  struct Options {
    int at_once = 512;
    double per_second = 5000, burst = 10000;
    size_t peers = 16384;  // that are remembered; one that is idle for long is forgotten
  };
  explicit PeerLimits(const Options& options, Clock& clock = RealClock())
      : options_(options), clock_(clock) {}

  // One call, from Begin() to its destruction, which must not outlive the limits.
  class Call {
   public:
    Call(PeerLimits& limits, std::string peer) : limits_(limits), peer_(std::move(peer)) {}
    ~Call() { limits_.End(peer_); }
    Call(const Call&) = delete;

   private:
    PeerLimits& limits_;
    const std::string peer_;
  };
  // ResourceExhausted says which bound was reached.
  absl::StatusOr<std::unique_ptr<Call>> Begin(const std::string& peer);

 private:
  struct Peer {
    double tokens = 0;
    absl::Time at;  // of tokens
    int running = 0;
  };
  void End(const std::string& peer);
  void Refill(Peer& peer, absl::Time now) const;
  // Peers with nothing to remember.
  void Forget(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  Clock& clock_;
  absl::Mutex mutex_;
  std::map<std::string, Peer> peers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
