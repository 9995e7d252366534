#pragma once

#include <functional>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace lvrpo {

// Where a server notes what it refused: each is counted, and at most one line of a method and reason is
// logged in ten seconds. Thread-safe.
class Denials {
 public:
  // Called for each, from any thread. `method` is one of the server's own, "Coordinator/Drain", or empty for
  // a connection.
  using Count = std::function<void(const std::string& method, const std::string& reason)>;
  using Log = std::function<void(const std::string& line)>;
  explicit Denials(Count count, Log log = nullptr, Clock& clock = RealClock());

  // `reason`: a word; `sentence`: who was refused, and why, for the log.
  void Note(const std::string& method, const std::string& reason, const std::string& sentence);

 private:
  struct Line {
    absl::Time next = absl::InfinitePast();
    int left_out = 0;
  };
  const Count count_;
  const Log log_;
  Clock& clock_;
  absl::Mutex mutex_;
  std::map<std::string, Line> lines_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
