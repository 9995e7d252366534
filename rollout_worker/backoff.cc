#include "rollout_worker/backoff.h"

#include <algorithm>
#include <set>

namespace lvrpo {
namespace {

constexpr absl::Duration kFirst = absl::Seconds(1), kLongest = absl::Seconds(30);

// Outcomes that do not predict whether the next group can be delivered.
bool IsNeutral(const std::string& outcome) {
  return outcome == "revoked" || outcome == "lease_ended" || outcome == "drain";
}

bool IsFailure(const std::string& outcome) {
  static const auto* failures = new std::set<std::string>{"learner_unreachable", "reward_unreachable",
                                                          "reward_failed", "unscorable", "worker_failed"};
  return failures->contains(outcome.substr(0, outcome.find(':')));
}

}  // namespace

void Backoff::Note(const std::string& outcome) {
  if (IsNeutral(outcome)) return;
  absl::MutexLock lock(&mutex_);
  if (!IsFailure(outcome)) {
    failures_ = 0;
    until_ = absl::InfinitePast();
    return;
  }
  reason_ = outcome;
  until_ = clock_.Now() + std::min(kFirst * (int64_t{1} << std::min(failures_++, 10)), kLongest);
}

absl::Duration Backoff::Left() const {
  absl::MutexLock lock(&mutex_);
  return std::max(until_ - clock_.Now(), absl::ZeroDuration());
}

std::string Backoff::reason() const {
  absl::MutexLock lock(&mutex_);
  return reason_;
}

}  // namespace lvrpo
