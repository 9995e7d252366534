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

// The leases that this process works on. An ordinal comes again with another attempt: what happens to one
// attempt says nothing about the next. Thread-safe.
class HeldLeases {
 public:
  // Earlier attempts of the same ordinal are over: a lease is given only when nobody has it any more.
  void Add(const v1::Lease& lease);
  void Remove(const v1::Lease& lease);
  bool IsRevoked(const v1::Lease& lease) const;

  // The ordinals, to be reported to the coordinator.
  std::vector<int64_t> Report();
  // What the coordinator answers to a report: these are no longer held, and their work is dropped. A lease
  // that came after the report is not meant.
  void Revoke(const std::vector<int64_t>& ordinals);

 private:
  using Key = std::pair<int64_t, int32_t>;  // ordinal, attempt
  mutable absl::Mutex mutex_;
  std::map<Key, bool> held_ ABSL_GUARDED_BY(mutex_);  // whether it was reported
  std::set<Key> revoked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
