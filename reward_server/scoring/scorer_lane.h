#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "proto/lvrpo/v1/common.pb.h"
#include "reward_server/scoring/lasting.h"
#include "reward_server/scoring/scorer.h"

namespace lvrpo {

struct LaneOptions {
  size_t limit = 64;  // most requests waiting
  // Most samples per call of a scorer that takes several requests at once; a larger request goes alone.
  size_t batch_samples = 128;
  // How long the first request of a batch waits for the batch to fill.
  absl::Duration batch_delay = absl::ZeroDuration();
  absl::Duration queue_deadline = absl::InfiniteDuration();    // of waiting
  absl::Duration compute_deadline = absl::InfiniteDuration();  // of one call of the scorer
};

// One scorer's answer to a request.
struct LaneAnswer {
  v1::ComponentScore::Outcome outcome = v1::ComponentScore::OK;
  std::string detail;               // why there are no scores
  Lasting lasting = Lasting::kNo;   // whether that failure is permanent
  std::vector<SampleScore> scores;  // one a sample; empty unless the outcome is OK
  double queue_seconds = 0, compute_seconds = 0;
  int64_t batch_samples = 0;  // of the whole call, other requests' included; 0: not started
};

// Calls a scorer and checks its answer: exceptions and wrong numbers of scores become typed failures.
std::vector<LaneAnswer> CallScorer(Scorer& scorer, std::span<const ScoringGroup* const> groups);

// One scorer with its thread, a bounded queue and deadlines. Requests are scored in FIFO order, several per
// call. A scorer that hangs blocks its thread, and its requests end by their deadlines; other lanes are not
// affected. Deadlines are enforced by Expire(), which must be called periodically. Thread-safe.
class ScorerLane {
 public:
  // A request in the lane.
  struct Ticket {
    std::shared_ptr<const ScoringGroup> group;
    absl::Time enqueued, started = absl::InfiniteFuture(), deadline;
    bool done = false;
    LaneAnswer answer;
  };

  // `scorer` and `clock` must outlive the lane.
  ScorerLane(Scorer& scorer, const LaneOptions& options, Clock& clock);
  // Finishes the queue and the current call, then stops the thread.
  ~ScorerLane();

  // nullptr when the queue is full (`limit`).
  std::shared_ptr<Ticket> TrySubmit(std::shared_ptr<const ScoringGroup> group, absl::Time deadline);
  // Cancels a request that has not started.
  void Cancel(Ticket& ticket);
  // Blocks until the answer, at the latest until the request's deadlines.
  LaneAnswer Wait(Ticket& ticket);

  // Ends requests whose deadlines have passed, and starts a batch whose delay has passed.
  void Expire();

  // Requests waiting or in progress.
  size_t load() const;
  // How long the current call has taken so far; 0: none.
  absl::Duration busy() const;
  // Expected queueing time of a new request, from the mean time of recent calls.
  absl::Duration expected_wait() const;
  Scorer& scorer() const { return scorer_; }

 private:
  void Run();
  bool BatchIsReady() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<std::shared_ptr<Ticket>> TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(Ticket& ticket, LaneAnswer answer) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Scorer& scorer_;
  const LaneOptions options_;
  Clock& clock_;
  mutable absl::Mutex mutex_;
  std::deque<std::shared_ptr<Ticket>> waiting_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Ticket>> computing_ ABSL_GUARDED_BY(mutex_);
  absl::Time call_started_ ABSL_GUARDED_BY(mutex_);
  double seconds_per_call_ ABSL_GUARDED_BY(mutex_) = 0;  // moving mean
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace lvrpo
