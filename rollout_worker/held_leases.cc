#include "rollout_worker/held_leases.h"

namespace lvrpo {

void HeldLeases::Add(const v1::Lease& lease) {
  absl::MutexLock lock(&mutex_);
  for (auto entry = held_.lower_bound({lease.ordinal(), 0});
       entry != held_.end() && entry->first.first == lease.ordinal();) {
    revoked_.insert(entry->first);
    entry = held_.erase(entry);
  }
  held_[{lease.ordinal(), lease.attempt()}] = false;
  revoked_.erase({lease.ordinal(), lease.attempt()});
}

void HeldLeases::Remove(const v1::Lease& lease) {
  absl::MutexLock lock(&mutex_);
  held_.erase({lease.ordinal(), lease.attempt()});
  revoked_.erase({lease.ordinal(), lease.attempt()});
}

bool HeldLeases::IsRevoked(const v1::Lease& lease) const {
  absl::MutexLock lock(&mutex_);
  return revoked_.contains({lease.ordinal(), lease.attempt()});
}

std::vector<int64_t> HeldLeases::Report() {
  absl::MutexLock lock(&mutex_);
  std::vector<int64_t> ordinals;
  for (auto& [key, reported] : held_) {
    reported = true;
    ordinals.push_back(key.first);
  }
  return ordinals;
}

void HeldLeases::Revoke(const std::vector<int64_t>& ordinals) {
  absl::MutexLock lock(&mutex_);
  const std::set<int64_t> lost(ordinals.begin(), ordinals.end());
  for (auto entry = held_.begin(); entry != held_.end();) {
    if (!entry->second || !lost.contains(entry->first.first)) {
      ++entry;
      continue;
    }
    revoked_.insert(entry->first);
    entry = held_.erase(entry);
  }
}

}  // namespace lvrpo
