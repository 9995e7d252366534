#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "proto/lvrpo/v1/reward.pb.h"
#include "reward_server/scorer.h"

namespace lvrpo {

// A bounded queue in front of one compute thread. Requests are answered in the order they came; one whose
// deadline passes while it waits is answered DeadlineExceeded and never computed.
class ScoringQueue {
 public:
  using ScoreFunction = std::function<v1::ScoreResponse(const ScoringBatch&)>;

  // `score` runs on the compute thread only. `clock` must outlive the queue.
  ScoringQueue(ScoreFunction score, size_t limit, Clock& clock);
  // Finishes what is queued, then stops the thread.
  ~ScoringQueue();

  // Blocks until the batch is scored or `deadline`. ResourceExhausted when `limit` requests wait already,
  // Unavailable after Drain().
  absl::StatusOr<v1::ScoreResponse> Score(ScoringBatch batch, absl::Time deadline);

  // Refuses new requests; returns when everything queued is answered.
  void Drain();

  // Requests that wait or are being computed.
  size_t load() const;

 private:
  struct Task {
    ScoringBatch batch;
    absl::Time enqueued;
    absl::Time deadline;
    bool done = false;
    absl::StatusOr<v1::ScoreResponse> answer = absl::UnknownError("not scored yet");
  };

  void Run();

  const ScoreFunction score_;
  const size_t limit_;
  Clock& clock_;
  mutable absl::Mutex mutex_;
  std::deque<std::shared_ptr<Task>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool computing_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace lvrpo
