#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/telemetry/metrics.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "reward_server/scoring/score_cache.h"
#include "reward_server/scoring/scorer_lane.h"
#include "reward_server/scoring/scoring.h"

namespace lvrpo {

struct PoolOptions {
  LaneOptions lane = {};  // of each scorer
  size_t cached_scores = 0;
  size_t most_open_bytes =
      size_t{1} << 31;  // of samples that are being scored; a request alone may have more
  absl::Duration verify_every = absl::InfiniteDuration();  // whether scorers are what their digests say
};

// The settings of a run's configuration.
PoolOptions ToPoolOptions(const v1::RewardConfig& config);

// All scorers of a server side by side: each has a lane (scorer_lane.h), and a request is answered when every
// scorer that applies has answered it or run out of time. So one that hangs, throws or is slow costs its own
// component. Thread-safe.
class ScoringPool {
 public:
  // All must outlive the pool.
  ScoringPool(ScorerSet& scorers, const PoolOptions& options, Clock& clock, Metrics& metrics);
  ~ScoringPool();

  // Blocks until the answer. Components without a score say why; that is no error. ResourceExhausted when the
  // queue of a scorer that counts is full or too much is being scored already, with a hint when to come back
  // (ErrorInfo.retry_after_seconds), while one that is only logged is OVERLOADED; Unavailable after Drain().
  absl::StatusOr<v1::ScoreResponse> Score(ScoringGroup group, absl::Time deadline);

  // Ends what is late; what a thread of the pool does all the time.
  void Expire();
  // Compares the scorers with their digests; what another one does every `verify_every`.
  void Verify();
  // Sets the gauges.
  void Report();

  // Refuses new requests; returns when everything taken is answered.
  void Drain();

  // Requests that are not answered yet.
  size_t load() const;
  // Name of a scorer whose call is past its deadline, empty when there is none: the pool cannot end before it
  // comes back.
  std::string hanging() const;
  // Empty; or which scorer is not what its digest says any more, so that nothing more can be scored here.
  std::string broken() const;

 private:
  void Note(const Scorer& scorer, const LaneAnswer& answer);
  // Until the pool ends: `work` each time `every` has passed.
  std::thread Repeat(absl::Duration every, std::function<void()> work);

  ScorerSet& scorers_;
  const PoolOptions options_;
  Metrics& metrics_;
  ScoreCache cache_;
  std::vector<std::unique_ptr<ScorerLane>> lanes_;
  mutable absl::Mutex mutex_;
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t open_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::string broken_ ABSL_GUARDED_BY(mutex_);
  std::thread expirer_, verifier_;
};

}  // namespace lvrpo
