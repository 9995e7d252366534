#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "weight_plane/packed_weights.h"

namespace lvrpo {

// The versions that a holder keeps in memory: the `most` newest. Streams keep theirs until they end.
// Thread-safe.
class KeptVersions {
 public:
  explicit KeptVersions(size_t most) : most_(most) {}

  void Keep(std::shared_ptr<const PackedWeights> weights) {
    std::shared_ptr<const PackedWeights> old;  // freed without the lock
    absl::MutexLock lock(&mutex_);
    kept_.push_back(std::move(weights));
    if (kept_.size() <= most_) return;
    old = std::move(kept_.front());
    kept_.pop_front();
  }

  // Of several with this number the newest; null when none is kept.
  std::shared_ptr<const PackedWeights> Find(int64_t number) const {
    absl::MutexLock lock(&mutex_);
    for (auto weights = kept_.rbegin(); weights != kept_.rend(); ++weights) {
      if ((*weights)->manifest.version().number() == number) return *weights;
    }
    return nullptr;
  }

 private:
  const size_t most_;
  mutable absl::Mutex mutex_;
  std::deque<std::shared_ptr<const PackedWeights>> kept_ ABSL_GUARDED_BY(mutex_);  // oldest first
};

}  // namespace lvrpo
