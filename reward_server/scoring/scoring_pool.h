#pragma once

#include <functional>
#include <memory>
#include <string>
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
  size_t most_open_bytes = size_t{1} << 31;  // bytes of samples being scored; a single request may exceed it
  absl::Duration verify_every = absl::InfiniteDuration();  // period of comparing scorers with their digests
};

// The settings of a run's configuration.
PoolOptions ToPoolOptions(const v1::RewardConfig& config);

// Runs all scorers of a server concurrently: each has a lane (scorer_lane.h), and a request is answered when
// every scorer that applies has answered or timed out. So a scorer that hangs, throws or is slow affects only
// its own component. Thread-safe.
class ScoringPool {
 public:
  // All must outlive the pool.
  ScoringPool(ScorerSet& scorers, const PoolOptions& options, Clock& clock, Metrics& metrics);
  ~ScoringPool();

  // Blocks until the answer. Components without a score give a reason; that is not an error.
  // ResourceExhausted when the queue of a scorer with a weight is full or too much is being scored, with
  // ErrorInfo.retry_after_seconds; a full scorer that is only logged is marked OVERLOADED; Unavailable after
  // Drain().
  absl::StatusOr<v1::ScoreResponse> Score(ScoringGroup group, absl::Time deadline);

  // Ends late requests; a thread of the pool does this periodically.
  void Expire();
  // Compares the scorers with their digests; a thread does this every `verify_every`.
  void Verify();
  // Sets the gauges.
  void Report();

  // Refuses new requests; returns when all accepted ones are answered.
  void Drain();

  // Requests in progress.
  size_t load() const;
  // Name of a scorer whose call is past its deadline, or empty: the pool cannot end before the call returns.
  std::string hanging() const;
  // Empty, or the scorer that no longer matches its digest, after which this server scores nothing.
  std::string broken() const;

 private:
  // A scorer's share of a request.
  struct Part {
    ScorerLane* lane;
    std::shared_ptr<ScorerLane::Ticket> ticket;  // null: answered already, or refused
    LaneAnswer answer;
  };
  // A request in progress: its samples, and what each is known by in the cache (empty: nothing is cached).
  struct Request {
    std::shared_ptr<const ScoringGroup> group;
    std::vector<std::string> contents;
    absl::Time deadline;
  };

  // Takes a request of so many bytes in, to be followed by Leave(); errors are those of Score().
  absl::Status Enter(size_t bytes);
  void Leave(size_t bytes);
  // Parts of all scorers that apply: answered from the cache, or submitted to their lanes.
  absl::StatusOr<std::vector<Part>> Submit(const Request& request);
  // Waits for what was submitted.
  void Await(const Request& request, Part& part);
  void Note(const Scorer& scorer, const LaneAnswer& answer);
  // Runs `work` every `every` until the pool ends.
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
