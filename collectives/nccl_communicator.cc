#include "collectives/nccl_communicator.h"

#include <thread>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collectives/poll_pauses.h"

namespace lvrpo {
namespace {

nccl::Config NonBlocking() {
  nccl::Config config;
  config.blocking = 0;
  return config;
}

// Polls until nothing is in progress on `comm`, at most `limit`; gives the last state.
nccl::Result Await(const NcclPlace& place, nccl::Comm* comm, absl::Duration limit) {
  const Waiting& waiting = place.limits.waiting;
  const absl::Time deadline = waiting.clock->Now() + limit;
  for (PollPauses pauses(waiting);; pauses.Pause()) {
    nccl::Result state = nccl::kInProgress;
    const nccl::Result asked = place.library->functions.CommGetAsyncError(comm, &state);
    if (asked != nccl::kSuccess) return asked;
    if (state != nccl::kInProgress || waiting.clock->Now() >= deadline) return state;
  }
}

// `what` was tried, if the caller knows.
absl::Status ErrorOf(const NcclPlace& place, const std::string& what, nccl::Result result) {
  const nccl::Functions& nccl = place.library->functions;
  const std::string words =
      absl::StrCat(what, what.empty() ? "" : ": ", "NCCL: ", nccl.GetErrorString(result));
  switch (result) {
    case nccl::kInProgress:
      return absl::DeadlineExceededError(
          absl::StrCat(what, " did not end within ", absl::FormatDuration(place.limits.making)));
    case nccl::kRemoteError:
    case nccl::kSystemError:  // of sockets, mostly
      return absl::UnavailableError(words);
    default:
      return absl::InternalError(absl::StrCat(words, ": ", nccl.GetLastError(nullptr)));
  }
}

// Makes a call that should not block but may, where the library is in trouble, in a separate thread.
// Whether it returned within `limit`; if not, the thread is left to itself.
bool InTime(absl::Duration limit, std::function<void()> call) {
  struct Shared {
    absl::Mutex mutex;
    absl::CondVar changed;
    bool ended ABSL_GUARDED_BY(mutex) = false;
  };
  const auto shared = std::make_shared<Shared>();
  std::thread([shared, call = std::move(call)] {
    call();
    absl::MutexLock lock(&shared->mutex);
    shared->ended = true;
    shared->changed.SignalAll();
  }).detach();
  const absl::Time deadline = RealClock().Now() + limit;
  absl::MutexLock lock(&shared->mutex);
  while (!shared->ended && RealClock().Now() < deadline) {
    shared->changed.WaitWithTimeout(&shared->mutex, deadline - RealClock().Now());
  }
  return shared->ended;
}

// Gives a communicator up. Whether the library was done with that in time.
bool Abort(const NcclPlace& place, nccl::Comm* comm) {
  return InTime(place.limits.stopping, [abort = place.library->functions.CommAbort, comm] { abort(comm); });
}

// Ends what is in progress on a communicator, which stays for Shrink() where the library can do that:
// otherwise gives it up and sets it to null. Whether the library was done with that in time.
bool Stop(const NcclPlace& place, nccl::Comm** comm) {
  nccl::Comm* const stopped = *comm;
  if (place.library->can_revoke()) {
    const auto revoke = place.library->functions.CommRevoke;
    if (!InTime(place.limits.stopping, [revoke, stopped] { revoke(stopped, nccl::kRevokeDefault); })) {
      *comm = nullptr;  // a call is still in it: nothing may touch it any more
      return false;
    }
    if (Await(place, stopped, place.limits.stopping) == nccl::kSuccess) return true;
  }
  *comm = nullptr;
  return Abort(place, stopped);
}

absl::Status CannotBecause(const std::string& why) {
  return absl::FailedPreconditionError(absl::StrCat(why, ": make a new communicator"));
}

}  // namespace

NcclMeans MeansOf(const NcclLibrary& library) {
  return {.shrink = library.can_shrink(), .grow = library.can_grow()};
}

NcclRebuild ChooseRebuild(const NcclMeans& means, bool some_are_gone, bool some_are_new) {
  if (some_are_gone && !some_are_new && means.shrink) return NcclRebuild::kShrink;
  if (some_are_new && !some_are_gone && means.grow) return NcclRebuild::kGrow;
  return NcclRebuild::kNew;  // also for both: one meeting of all instead of two
}

absl::StatusOr<nccl::UniqueId> NcclCommunicator::NewId(const NcclLibrary& library) {
  nccl::UniqueId id;
  const nccl::Result result = library.functions.GetUniqueId(&id);
  if (result == nccl::kSuccess) return id;
  return absl::InternalError(absl::StrCat("an id for NCCL: ", library.functions.GetErrorString(result)));
}

absl::StatusOr<std::unique_ptr<NcclCommunicator>> NcclCommunicator::Make(const NcclPlace& place,
                                                                         const nccl::UniqueId& id, int rank,
                                                                         int size) {
  if (absl::Status current = place.device->MakeCurrent(); !current.ok()) return current;
  nccl::Config config = NonBlocking();
  nccl::Comm* comm = nullptr;
  const nccl::Result result = place.library->functions.CommInitRankConfig(&comm, size, id, rank, &config);
  return Finish(place, absl::StrCat("making rank ", rank, " of ", size), result, comm, rank, size);
}

absl::StatusOr<std::unique_ptr<NcclCommunicator>> NcclCommunicator::Shrink(
    std::unique_ptr<NcclCommunicator> parent, std::vector<int> gone) {
  const NcclPlace place = parent->place_;
  if (!place.library->can_shrink()) return CannotBecause(InWords(*place.library));
  if (absl::Status current = place.device->MakeCurrent(); !current.ok()) return current;
  const std::string what = absl::StrCat("making rank ", parent->rank_, " of ", parent->size_, " without ",
                                        absl::StrJoin(gone, ", "));
  int rank = parent->rank_;
  for (int dead : gone) rank -= dead < parent->rank_ ? 1 : 0;
  nccl::Config config = NonBlocking();
  nccl::Comm* comm = nullptr;  // set when it is made; until then the parent is what to ask
  nccl::Result result;
  {
    absl::MutexLock lock(&parent->mutex_);
    if (parent->comm_ == nullptr) return CannotBecause(absl::StrCat(what, ": ", parent->broken_.message()));
    result = place.library->functions.CommShrink(parent->comm_, gone.data(), static_cast<int>(gone.size()),
                                                 &comm, &config, nccl::kShrinkAbort);
    if (result == nccl::kInProgress) result = Await(place, parent->comm_, place.limits.making);
    // From now on the parent can only be aborted: ranks of it are gone. That also ends a child that is not
    // made yet.
    if (parent->broken_.ok()) parent->broken_ = absl::AbortedError(what);
    if (result != nccl::kSuccess) {
      Abort(place, std::exchange(parent->comm_, nullptr));
      return ErrorOf(place, what, result);
    }
  }
  return Finish(place, what, result, comm, rank, parent->size_ - static_cast<int>(gone.size()));
}

absl::StatusOr<nccl::UniqueId> NcclCommunicator::NewcomersId() {
  if (!place_.library->can_grow()) return CannotBecause(InWords(*place_.library));
  absl::MutexLock lock(&mutex_);
  if (!broken_.ok()) return broken_;
  nccl::UniqueId id;
  const nccl::Result result = place_.library->functions.CommGetUniqueId(comm_, &id);
  if (result != nccl::kSuccess) return ErrorOf(place_, "an id for newcomers", result);
  return id;
}

absl::StatusOr<std::unique_ptr<NcclCommunicator>> NcclCommunicator::Grow(
    std::unique_ptr<NcclCommunicator> parent, int size, const nccl::UniqueId* id) {
  const NcclPlace place = parent->place_;
  if (!place.library->can_grow()) return CannotBecause(InWords(*place.library));
  if (absl::Status current = place.device->MakeCurrent(); !current.ok()) return current;
  nccl::Config config = NonBlocking();
  nccl::Comm* comm = nullptr;
  nccl::Result result;
  {
    absl::MutexLock lock(&parent->mutex_);
    if (!parent->broken_.ok()) return parent->broken_;
    result = place.library->functions.CommGrow(parent->comm_, size, id, -1, &comm, &config);
  }
  auto made = Finish(
      place, absl::StrCat("growing from ", parent->size_, " to ", size, " ranks, rank ", parent->rank_),
      result, comm, parent->rank_, size);
  // The others may be anywhere: nothing to be waited for at the parent's end.
  if (!made.ok()) parent->Break(made.status()).IgnoreError();
  return made;
}

absl::StatusOr<std::unique_ptr<NcclCommunicator>> NcclCommunicator::Join(const NcclPlace& place,
                                                                         const nccl::UniqueId& id, int rank,
                                                                         int size) {
  if (!place.library->can_grow()) return CannotBecause(InWords(*place.library));
  if (absl::Status current = place.device->MakeCurrent(); !current.ok()) return current;
  nccl::Config config = NonBlocking();
  nccl::Comm* comm = nullptr;
  const nccl::Result result = place.library->functions.CommGrow(nullptr, size, &id, rank, &comm, &config);
  return Finish(place, absl::StrCat("joining as rank ", rank, " of ", size), result, comm, rank, size);
}

absl::StatusOr<std::unique_ptr<NcclCommunicator>> NcclCommunicator::Finish(const NcclPlace& place,
                                                                           const std::string& what,
                                                                           nccl::Result result,
                                                                           nccl::Comm* comm, int rank,
                                                                           int size) {
  if (result == nccl::kInProgress) result = Await(place, comm, place.limits.making);
  int made_rank = -1, made_size = -1;
  const nccl::Functions& nccl = place.library->functions;
  if (result == nccl::kSuccess) result = nccl.CommUserRank(comm, &made_rank);
  if (result == nccl::kSuccess) result = nccl.CommCount(comm, &made_size);
  absl::Status error;
  if (result != nccl::kSuccess) {
    error = ErrorOf(place, what, result);
  } else if (made_rank != rank || made_size != size) {
    error = absl::InternalError(absl::StrCat(what, ": NCCL made rank ", made_rank, " of ", made_size));
  } else {
    return absl::WrapUnique(new NcclCommunicator(place, comm, rank, size));
  }
  if (comm != nullptr) Abort(place, comm);
  return error;
}

NcclCommunicator::~NcclCommunicator() {
  absl::MutexLock lock(&mutex_);
  nccl::Comm* const comm = comm_;
  if (comm == nullptr) return;
  const nccl::Functions& nccl = place_.library->functions;
  // After an error elsewhere, destroying it could wait for ever: finalizing shows whether all is well, within
  // a limit.
  const auto is_idle = [&] { return Await(place_, comm, place_.limits.stopping) == nccl::kSuccess; };
  if (broken_.ok() && is_idle()) {
    const nccl::Result result = nccl.CommFinalize(comm);
    if ((result == nccl::kSuccess || result == nccl::kInProgress) && is_idle()) {
      InTime(place_.limits.stopping, [destroy = nccl.CommDestroy, comm] { destroy(comm); });
      return;
    }
  }
  Abort(place_, comm);
}

absl::Status NcclCommunicator::status() const {
  absl::MutexLock lock(&mutex_);
  return broken_;
}

absl::StatusOr<bool> NcclCommunicator::IsReady() const {
  absl::MutexLock lock(&mutex_);
  if (!broken_.ok()) return broken_;
  nccl::Result state = nccl::kInProgress;
  nccl::Result result = place_.library->functions.CommGetAsyncError(comm_, &state);
  if (result == nccl::kSuccess) result = state;
  if (result == nccl::kInProgress) return false;
  if (result == nccl::kSuccess) return true;
  return ErrorOf(place_, "", result);
}

absl::Status NcclCommunicator::Queue(
    const std::function<nccl::Result(const nccl::Functions&, nccl::Comm*)>& call) {
  absl::MutexLock lock(&mutex_);
  if (!broken_.ok()) return broken_;
  const nccl::Result result = call(place_.library->functions, comm_);
  if (result == nccl::kSuccess || result == nccl::kInProgress) return absl::OkStatus();
  return ErrorOf(place_, "", result);
}

absl::Status NcclCommunicator::Break(const absl::Status& error) {
  absl::MutexLock lock(&mutex_);
  if (!broken_.ok()) return broken_;
  broken_ = error;
  if (!Stop(place_, &comm_)) {
    broken_ = absl::Status(error.code(),
                           absl::StrCat(error.message(), "; and NCCL did not stop: this process must end"));
  }
  return broken_;
}

}  // namespace lvrpo
