#pragma once

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// The leases that this process works on. An ordinal may be leased again with another attempt: attempts are
// independent. Thread-safe.
class HeldLeases {
 public:
  // Drops earlier attempts of the same ordinal: a lease is granted only when nobody holds the ordinal.
  void Add(const v1::LeaseId& lease);
  void Remove(const v1::LeaseId& lease);
  bool IsRevoked(const v1::LeaseId& lease) const;

  // To be reported to the coordinator.
  std::vector<v1::LeaseId> Report() const;
  // The coordinator's answer to a report: these are revoked, and their work is dropped.
  void Revoke(const std::vector<v1::LeaseId>& leases);

 private:
  using Key = std::pair<int64_t, int32_t>;  // ordinal, attempt
  static Key KeyOf(const v1::LeaseId& lease);
  mutable absl::Mutex mutex_;
  std::set<Key> held_ ABSL_GUARDED_BY(mutex_), revoked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
