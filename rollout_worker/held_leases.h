#pragma once

#include <cstdint>
#include <map>
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
  void Add(const v1::Lease& lease);
  void Remove(const v1::Lease& lease);
  bool IsRevoked(const v1::Lease& lease) const;

  // The ordinals, to be reported to the coordinator.
  std::vector<int64_t> Report();
  // The coordinator's answer to a report: these are revoked, and their work is dropped. Leases granted after
  // the report are not affected.
  void Revoke(const std::vector<int64_t>& ordinals);

 private:
  using Key = std::pair<int64_t, int32_t>;  // ordinal, attempt
  mutable absl::Mutex mutex_;
  std::map<Key, bool> held_ ABSL_GUARDED_BY(mutex_);  // whether it was reported
  std::set<Key> revoked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
