#include "rollout_worker/backoff.h"

#include <algorithm>
#include <set>

#include "common/net/retry.h"
#include "common/words/words.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kFirst = absl::Seconds(1), kLongest = absl::Seconds(30);

// Outcomes that do not predict whether the next group can be delivered.
bool IsNeutral(const std::string& outcome) {
  return outcome == "revoked" || outcome == "lease_ended" || outcome == Word(v1::RETURN_DRAIN);
}

bool IsFailure(const std::string& outcome) {
  static const auto* failures = new std::set<std::string>{
      Word(v1::RETURN_LEARNER_UNREACHABLE), Word(v1::RETURN_REWARD_UNREACHABLE),
      Word(v1::RETURN_REWARD_FAILED), Word(v1::RETURN_UNSCORABLE), Word(v1::RETURN_WORKER_FAILED)};
  return failures->contains(outcome);
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
  until_ = clock_.Now() + DoubledWait(kFirst, kLongest, ++failures_);
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
