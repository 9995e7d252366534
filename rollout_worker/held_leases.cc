#include "rollout_worker/held_leases.h"

namespace lvrpo {

HeldLeases::Key HeldLeases::KeyOf(const v1::LeaseId& lease) { return {lease.ordinal(), lease.attempt()}; }

void HeldLeases::Add(const v1::LeaseId& lease) {
  absl::MutexLock lock(&mutex_);
  for (auto entry = held_.lower_bound({lease.ordinal(), 0});
       entry != held_.end() && entry->first == lease.ordinal();) {
    revoked_.insert(*entry);
    entry = held_.erase(entry);
  }
  held_.insert(KeyOf(lease));
  revoked_.erase(KeyOf(lease));
}

void HeldLeases::Remove(const v1::LeaseId& lease) {
  absl::MutexLock lock(&mutex_);
  held_.erase(KeyOf(lease));
  revoked_.erase(KeyOf(lease));
}

bool HeldLeases::IsRevoked(const v1::LeaseId& lease) const {
  absl::MutexLock lock(&mutex_);
  return revoked_.contains(KeyOf(lease));
}

std::vector<v1::LeaseId> HeldLeases::Report() const {
  absl::MutexLock lock(&mutex_);
  std::vector<v1::LeaseId> leases;
  for (const auto& [ordinal, attempt] : held_) {
    leases.emplace_back();
    leases.back().set_ordinal(ordinal);
    leases.back().set_attempt(attempt);
  }
  return leases;
}

void HeldLeases::Revoke(const std::vector<v1::LeaseId>& leases) {
  absl::MutexLock lock(&mutex_);
  for (const v1::LeaseId& lease : leases) {
    if (held_.erase(KeyOf(lease)) > 0) revoked_.insert(KeyOf(lease));
  }
}

}  // namespace lvrpo
