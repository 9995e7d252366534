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
  size_t limit = 64;  // requests that wait, at most
  // Of several requests, scored in one call by a scorer that takes several; a larger request goes alone.
  size_t batch_samples = 128;
  // How long the first request of a batch waits for others to fill it.
  absl::Duration batch_delay = absl::ZeroDuration();
  absl::Duration queue_deadline = absl::InfiniteDuration();    // of waiting
  absl::Duration compute_deadline = absl::InfiniteDuration();  // of one call of the scorer
};

// What became of a request's samples at one scorer.
struct LaneAnswer {
  v1::ComponentScore::Outcome outcome = v1::ComponentScore::OK;
  std::string detail;               // why there are no scores
  Lasting lasting = Lasting::kNo;   // whether that would come again
  std::vector<SampleScore> scores;  // one a sample; empty unless the outcome is OK
  double queue_seconds = 0, compute_seconds = 0;
  int64_t batch_samples = 0;  // in the call that scored them, other requests' included; 0: never begun
};

// Judges what a scorer answered: exceptions and wrong numbers of scores become typed failures.
std::vector<LaneAnswer> CallScorer(Scorer& scorer, std::span<const ScoringGroup* const> groups);

// One scorer with a thread of its own, a bounded queue in front of it, and its deadlines. Requests are taken
// in the order they came, several in one call. A scorer that hangs keeps its thread, and its requests end by
// their deadlines; nothing else is touched. Time passes only where the clock says so: Expire() must be called
// now and then. Thread-safe.
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
  // Finishes what is queued and the call at hand, then stops the thread.
  ~ScorerLane();

  // nullptr when `limit` requests wait already.
  std::shared_ptr<Ticket> TrySubmit(std::shared_ptr<const ScoringGroup> group, absl::Time deadline);
  // Takes a request back that is not computed yet.
  void Cancel(Ticket& ticket);
  // Blocks until the answer, which comes by the request's deadlines at the latest.
  LaneAnswer Wait(Ticket& ticket);

  // Ends requests whose deadlines have passed, and lets a batch go whose delay is over.
  void Expire();

  // Requests that wait or are computed.
  size_t load() const;
  // How long the call at hand has taken so far; 0: none.
  absl::Duration busy() const;
  // When a request that came now would be begun, by the mean time of the last calls.
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
