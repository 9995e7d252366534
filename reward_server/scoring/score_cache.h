#pragma once

#include <list>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "reward_server/scoring/scorer.h"

namespace lvrpo {

// Earlier scores, by content and scorer: scorers are deterministic, so the same key has the same score. Holds
// up to `limit` scores, evicts the least recently used. Thread-safe.
class ScoreCache {
 public:
  explicit ScoreCache(size_t limit) : limit_(limit) {}

  // One per sample: SHA-256 of everything that determines its scores except the scorer.
  static std::vector<std::string> ContentKeys(const ScoringGroup& group);

  // That scorer's scores of these contents; nullopt when one is missing.
  std::optional<std::vector<SampleScore>> Find(const Scorer& scorer, const std::vector<std::string>& keys);
  // Without evidence.
  void Keep(const Scorer& scorer, const std::vector<std::string>& keys,
            const std::vector<SampleScore>& scores);

  size_t size() const;

 private:
  using Entry = std::pair<std::string, SampleScore>;

  const size_t limit_;
  mutable absl::Mutex mutex_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // most recently used first
  absl::flat_hash_map<std::string, std::list<Entry>::iterator> places_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
