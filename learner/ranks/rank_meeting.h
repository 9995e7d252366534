#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "collectives/collectives.h"
#include "common/clock.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// How the ranks of a learner get a communicator: an implementation of Collectives, as two calls.
struct RankTransport {
  // Rank 0's, before it registers. `host`: at which the others reach this process. The address (host:port) at
  // which they will find it, for as long as the transport lives.
  std::function<absl::StatusOr<std::string>(const std::string& host)> open;
  // All ranks', of a complete epoch; blocks until all of them have called it, or until its deadline. It may
  // be called again with another epoch after an error.
  std::function<absl::StatusOr<std::unique_ptr<Collectives>>(const v1::LearnerEpoch& epoch, int rank)>
      connect;
};

// A process's epoch, for the rest of its life.
struct JoinedEpoch {
  v1::LearnerEpoch epoch;
  std::unique_ptr<Collectives> collectives;  // null with one rank
};

struct MeetingCalls {
  std::function<v1::PoolView()> view;
  std::function<absl::Status()> lost;  // why the membership is over; OK while it is not
  std::function<bool()> stop;
};

// Waits until all ranks are there, and connects with them; when they change meanwhile, with the new ones.
// Cancelled when it is to stop, or the run drains or has finished; Aborted when these very ranks could not be
// connected.
absl::StatusOr<JoinedEpoch> MeetRanks(int rank, const RankTransport& transport, const MeetingCalls& calls,
                                      const Waiting& waiting);

// Watches, in a dedicated thread, whether the epoch of this process is over (CheckOwnEpoch): the other ranks
// may be gone while this one waits for them.
class EpochWatch {
 public:
  struct Calls {
    std::function<int64_t(int64_t seen)> next_view;  // blocks until there is one, or for a moment
    std::function<v1::PoolView()> view;
    std::function<void(const absl::Status& why)> over;  // at most once
  };
  EpochWatch(v1::LearnerEpoch own, Calls calls);
  ~EpochWatch();

 private:
  void Watch();

  const v1::LearnerEpoch own_;
  const Calls calls_;
  absl::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace lvrpo
