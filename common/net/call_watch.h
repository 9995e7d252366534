#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace lvrpo {

// A service's open streams: bounds their number, duration and silence, so that none holds a thread for good.
// Thread-safe.
class CallWatch {
 public:
  struct Options {
    int most = 64;  // at once
    absl::Duration longest = absl::Seconds(60);
    absl::Duration silent = absl::Seconds(10);
    absl::Duration every = absl::Milliseconds(500);  // between checks; 0: the caller calls CancelLate()
  };
  explicit CallWatch(const Options& options, Clock& clock = RealClock());
  // Calls must have ended.
  ~CallWatch();

  // One stream, from Begin() to its destruction.
  class Call {
   public:
    ~Call();
    void Heard();  // something was received or sent

   private:
    friend class CallWatch;
    Call(CallWatch& watch, int64_t id) : watch_(watch), id_(id) {}
    CallWatch& watch_;
    const int64_t id_;
  };
  // Null when there are too many. `cancel` makes the stream fail; called at most once, never after the Call's
  // end, and must not block.
  std::unique_ptr<Call> Begin(std::function<void()> cancel);

  // Cancels what has taken too long; returns how many.
  int CancelLate();
  // Streams that are open.
  int open() const;
  // Waits until exactly so many streams are open; false on `timeout`.
  bool AwaitOpen(int streams, absl::Duration timeout) const;

 private:
  struct State {
    std::function<void()> cancel;
    absl::Time begun, heard;
    bool cancelled = false;
  };
  const Options options_;
  Clock& clock_;
  mutable absl::Mutex mutex_;
  std::map<int64_t, State> calls_ ABSL_GUARDED_BY(mutex_);
  int64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace lvrpo
