#include "common/net/peer_limits.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lvrpo {

absl::StatusOr<std::unique_ptr<PeerLimits::Call>> PeerLimits::Begin(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  auto found = peers_.find(name);
  if (found == peers_.end()) {
    if (peers_.size() >= options_.peers) Forget(now);
    if (peers_.size() >= options_.peers) return absl::ResourceExhaustedError("too many peers at once");
    found = peers_.emplace(name, Peer{options_.burst, now, 0}).first;
  }
  Peer& peer = found->second;
  Refill(peer, now);
  if (peer.running >= options_.at_once)
    return absl::ResourceExhaustedError(absl::StrCat("more than ", options_.at_once, " calls at once"));
  if (peer.tokens < 1)
    return absl::ResourceExhaustedError(absl::StrCat("more than ", options_.per_second, " calls a second"));
  peer.tokens -= 1;
  ++peer.running;
  return std::make_unique<Call>(*this, name);
}

void PeerLimits::End(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  --peers_.at(name).running;
}

void PeerLimits::Refill(Peer& peer, absl::Time now) const {
  const double seconds = std::max(0.0, absl::ToDoubleSeconds(now - peer.at));
  peer.tokens = std::min(options_.burst, peer.tokens + seconds * options_.per_second);
  peer.at = now;
}

void PeerLimits::Forget(absl::Time now) {
  for (auto peer = peers_.begin(); peer != peers_.end();) {
    Refill(peer->second, now);
    const bool idle = peer->second.running == 0 && peer->second.tokens >= options_.burst;
    peer = idle ? peers_.erase(peer) : std::next(peer);
  }
}

}  // namespace lvrpo
