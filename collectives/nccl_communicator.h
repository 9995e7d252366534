#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "collectives/device_api.h"
#include "collectives/nccl_abi.h"
#include "collectives/nccl_library.h"
#include "common/clock.h"

namespace lvrpo {

// How long things may take, and how waits pass.
struct NcclLimits {
  absl::Duration operation = absl::Minutes(10);  // an operation, once it is the first of those in progress
  absl::Duration making = absl::Minutes(5);      // a communicator, from this rank's call
  absl::Duration stopping = absl::Seconds(30);   // the end of what was in progress, after an error
  Waiting waiting = {};
};

// What a communicator works with; both must outlive it.
struct NcclPlace {
  const NcclLibrary* library = nullptr;
  DeviceApi* device = nullptr;
  NcclLimits limits = {};
};

// How the ranks get a communicator when some are gone or new: a decision that all of them make alike.
enum class NcclRebuild { kShrink, kGrow, kNew };
struct NcclMeans {
  bool shrink = false, grow = false;
};
NcclMeans MeansOf(const NcclLibrary& library);
NcclRebuild ChooseRebuild(const NcclMeans& means, bool some_are_gone, bool some_are_new);

// One rank's communicator of NCCL, in non-blocking mode. Keeps the library's rules, which hang a process that
// breaks them: no call before the one before it has been taken; never destroyed after an error, but aborted;
// an id for one communicator; no call on a parent while a child is made of it. No call here blocks longer
// than `limits` say, unless the library does in a call that it says does not block; Break() and the
// destructor guard against that too.
//
// Errors, after which only the destructor and Shrink() are left: DeadlineExceeded, Unavailable (a rank is
// gone), Aborted, Internal (the library's or the device's error, in its words). Thread-safe.
class NcclCommunicator {
 public:
  // A fresh id, for one communicator, which this process must outlive the making of.
  static absl::StatusOr<nccl::UniqueId> NewId(const NcclLibrary& library);

  // Rank `rank` of `size`: all ranks call it with the same id.
  static absl::StatusOr<std::unique_ptr<NcclCommunicator>> Make(const NcclPlace& place,
                                                                const nccl::UniqueId& id, int rank, int size);
  // The parent's ranks without `gone` (not empty, ascending, not this rank), in their order: all that stay
  // call it. The parent may have failed. FailedPrecondition: the library cannot, or had to abort the parent
  // (it could not revoke it): a new communicator is what is left.
  static absl::StatusOr<std::unique_ptr<NcclCommunicator>> Shrink(std::unique_ptr<NcclCommunicator> parent,
                                                                  std::vector<int> gone);
  // The parent's ranks with their numbers, and new ones after them, `size` in all. One rank of the parent has
  // called NewcomersId(): it passes the id, the parent's others null. The new ranks call Join().
  // FailedPrecondition: the library cannot.
  absl::StatusOr<nccl::UniqueId> NewcomersId();
  static absl::StatusOr<std::unique_ptr<NcclCommunicator>> Grow(std::unique_ptr<NcclCommunicator> parent,
                                                                int size, const nccl::UniqueId* id);
  static absl::StatusOr<std::unique_ptr<NcclCommunicator>> Join(const NcclPlace& place,
                                                                const nccl::UniqueId& id, int rank, int size);

  ~NcclCommunicator();

  int rank() const { return rank_; }
  int size() const { return size_; }
  const NcclPlace& place() const { return place_; }

  // The error that broke it, or OK.
  absl::Status status() const;
  // Whether the library has taken the last call, so that the next may follow. On an error of the library,
  // which does not say what was called, the caller breaks the communicator with it.
  absl::StatusOr<bool> IsReady() const;
  // Makes one call that queues work; IsReady() must have said yes. Errors as there.
  absl::Status Queue(const std::function<nccl::Result(const nccl::Functions&, nccl::Comm*)>& call);
  // Keeps `error`, unless there is one already, and ends what is in progress; returns the one that is kept.
  // When it returns the library has stopped, or `limits.stopping` is over and the error says so.
  absl::Status Break(const absl::Status& error);

 private:
  NcclCommunicator(const NcclPlace& place, nccl::Comm* comm, int rank, int size)
      : place_(place), rank_(rank), size_(size), comm_(comm) {}

  // Waits for `comm`, which a call that gave `result` makes; aborts it if it does not get ready.
  static absl::StatusOr<std::unique_ptr<NcclCommunicator>> Finish(const NcclPlace& place,
                                                                  const std::string& what,
                                                                  nccl::Result result, nccl::Comm* comm,
                                                                  int rank, int size);

  const NcclPlace place_;
  const int rank_;
  const int size_;
  mutable absl::Mutex mutex_;
  nccl::Comm* comm_ ABSL_GUARDED_BY(mutex_);  // null once given up
  absl::Status broken_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
