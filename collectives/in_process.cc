#include "collectives/in_process.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "collectives/operation.h"
#include "collectives/reduce.h"
#include "common/clock.h"

namespace lvrpo {
namespace {

// Copies `bytes` bytes, unless they are there already.
void Copy(char* to, const char* from, int64_t bytes) {
  if (to != from && bytes > 0) std::memcpy(to, from, static_cast<size_t>(bytes));
}

// Puts the reduction of all inputs into every output, each of which may be an input too.
void ReduceForAll(const Operation& operation, const std::vector<Call>& calls) {
  constexpr int64_t kChunk = 4096;  // elements
  alignas(8) char reduced[kChunk * 8];
  const int64_t element_bytes = SizeOf(operation.element);
  std::vector<const void*> inputs(calls.size());
  for (int64_t begin = 0; begin < operation.count; begin += kChunk) {
    const int64_t count = std::min(kChunk, operation.count - begin);
    for (size_t rank = 0; rank < calls.size(); ++rank) inputs[rank] = calls[rank].in + begin * element_bytes;
    Reduce(operation.element, operation.reduction, inputs, count, reduced);
    for (const Call& call : calls) Copy(call.out + begin * element_bytes, reduced, count * element_bytes);
  }
}

// Computes an operation that all ranks have called; `calls` in rank order.
void Compute(const std::vector<Call>& calls) {
  const Operation& operation = calls[0].operation;
  const int64_t bytes = operation.count * SizeOf(operation.element);
  switch (operation.kind) {
    case Operation::Kind::kAllGather:
      for (const Call& to : calls) {
        for (size_t rank = 0; rank < calls.size(); ++rank) Copy(to.out + rank * bytes, calls[rank].in, bytes);
      }
      return;
    case Operation::Kind::kReduceScatter:
      for (size_t part = 0; part < calls.size(); ++part) {
        std::vector<const void*> inputs;
        for (const Call& from : calls) inputs.push_back(from.in + part * bytes);
        Reduce(operation.element, Reduction::kSum, inputs, operation.count, calls[part].out);
      }
      return;
    case Operation::Kind::kAllReduce:
      return ReduceForAll(operation, calls);
    case Operation::Kind::kBroadcast:
      for (const Call& to : calls) Copy(to.out, calls[operation.root].in, bytes);
      return;
    case Operation::Kind::kBarrier:
      return;
  }
}

// What the ranks share. Thread-safe.
class Group {
 public:
  Group(int size, absl::Duration deadline) : size_(size), deadline_(deadline), broken_(size) {}

  int size() const { return size_; }

  // Adds a rank's next call, and computes the operation if the rank is the last. Returns its place in the
  // order.
  absl::StatusOr<int64_t> Post(int rank, const Call& call);
  // Waits until the operation at `place`, which `rank` has called, is done.
  absl::Status Wait(int rank, int64_t place);
  void Abort(int rank, const std::string& why);
  // No call of `rank` will come any more.
  void Leave(int rank);

 private:
  struct PostedCall {
    Call call;
    absl::Time called_at;
  };
  using Posted = std::vector<std::optional<PostedCall>>;  // by rank

  // The first error stays: `own` for `rank`, `others` for all others.
  void Break(int rank, const absl::Status& own, const absl::Status& others)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BreakBecauseGone(int rank) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status MismatchOf(const Posted& posted, int rank, const Call& call, int64_t place) const;
  absl::Status TooLate() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int size_;
  const absl::Duration deadline_;
  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::vector<absl::Status> broken_ ABSL_GUARDED_BY(mutex_);  // by rank; all OK, or none
  std::vector<int> gone_ ABSL_GUARDED_BY(mutex_);
  int64_t done_ ABSL_GUARDED_BY(mutex_) = 0;  // operations that are; they end in order
  absl::Time last_done_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::deque<Posted> posted_ ABSL_GUARDED_BY(mutex_);  // those that are not done; the first has place done_
};

absl::StatusOr<int64_t> Group::Post(int rank, const Call& call) {
  absl::MutexLock lock(&mutex_);
  if (!broken_[rank].ok()) return broken_[rank];
  if (!gone_.empty()) {
    BreakBecauseGone(gone_[0]);
    return broken_[rank];
  }
  const auto next = std::find_if(posted_.begin(), posted_.end(), [&](const Posted& p) { return !p[rank]; });
  const int64_t place = done_ + (next - posted_.begin());
  Posted& posted = next != posted_.end() ? *next : posted_.emplace_back(size_);
  if (absl::Status mismatch = MismatchOf(posted, rank, call, place); !mismatch.ok()) {
    Break(rank, mismatch, mismatch);
    return mismatch;
  }
  posted[rank] = {.call = call, .called_at = RealClock().Now()};
  if (std::all_of(posted.begin(), posted.end(), [](const auto& one) { return one.has_value(); })) {
    std::vector<Call> calls;
    for (const auto& one : posted) calls.push_back(one->call);
    Compute(calls);  // under the lock: the others wait for it anyway, and none of them may leave meanwhile
    posted_.pop_front();
    ++done_;
    last_done_at_ = RealClock().Now();
    changed_.SignalAll();
  }
  return place;
}

absl::Status Group::Wait(int rank, int64_t place) {
  absl::MutexLock lock(&mutex_);
  while (place >= done_) {
    if (!broken_[rank].ok()) return broken_[rank];
    // The first operation that is not done is the one that must not take too long. This rank has called it.
    const absl::Time since = std::max(posted_[0][rank]->called_at, last_done_at_);
    const absl::Duration left = since + deadline_ - RealClock().Now();
    if (left <= absl::ZeroDuration()) {
      const absl::Status late = TooLate();
      Break(rank, late, late);
    } else {
      changed_.WaitWithTimeout(&mutex_, left);
    }
  }
  return absl::OkStatus();
}

void Group::Abort(int rank, const std::string& why) {
  absl::MutexLock lock(&mutex_);
  Break(rank, absl::AbortedError(why),
        absl::UnavailableError(absl::StrCat("rank ", rank, " has aborted: ", why)));
}

void Group::Leave(int rank) {
  absl::MutexLock lock(&mutex_);
  gone_.push_back(rank);
  if (!posted_.empty()) BreakBecauseGone(rank);
}

void Group::Break(int rank, const absl::Status& own, const absl::Status& others) {
  if (!broken_[rank].ok()) return;
  for (int i = 0; i < size_; ++i) broken_[i] = i == rank ? own : others;
  posted_.clear();
  changed_.SignalAll();
}

void Group::BreakBecauseGone(int rank) {
  const absl::Status gone =
      absl::UnavailableError(absl::StrCat("rank ", rank, " is gone, before operation ", done_));
  Break(rank, gone, gone);
}

absl::Status Group::MismatchOf(const Posted& posted, int rank, const Call& call, int64_t place) const {
  for (int other = 0; other < size_; ++other) {
    if (!posted[other] || posted[other]->call.operation == call.operation) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("the ranks call different operations at place ", place, ": rank ", other, " ",
                     InWords(posted[other]->call.operation), ", rank ", rank, " ", InWords(call.operation)));
  }
  return absl::OkStatus();
}

absl::Status Group::TooLate() const {
  std::string what;
  std::vector<int> late;
  for (int rank = 0; rank < size_; ++rank) {
    if (const auto& call = posted_[0][rank]; call) {
      what = InWords(call->call.operation, done_);
    } else {
      late.push_back(rank);
    }
  }
  return absl::DeadlineExceededError(absl::StrCat(what, ", did not end within ",
                                                  absl::FormatDuration(deadline_),
                                                  ": it was not called by rank ", absl::StrJoin(late, ", ")));
}

class PostedOperation : public Pending {
 public:
  PostedOperation(Group* group, int rank, int64_t place) : group_(group), rank_(rank), place_(place) {}
  ~PostedOperation() override { Wait().IgnoreError(); }
  absl::Status Wait() override {
    if (!result_) result_ = group_->Wait(rank_, place_);
    return *result_;
  }

 private:
  Group* const group_;
  const int rank_;
  const int64_t place_;
  std::optional<absl::Status> result_;
};

class InProcess : public Collectives {
 public:
  InProcess(std::shared_ptr<Group> group, int rank) : group_(std::move(group)), rank_(rank) {}
  ~InProcess() override { group_->Leave(rank_); }

  int rank() const override { return rank_; }
  int size() const override { return group_->size(); }
  absl::string_view name() const override { return "in_process"; }

  std::unique_ptr<Pending> AllGather(ConstSpan in, Span out) override {
    return Post(AllGatherCall(in, out, size()));
  }
  std::unique_ptr<Pending> ReduceScatter(ConstSpan in, Span out) override {
    return Post(ReduceScatterCall(in, out, size()));
  }
  std::unique_ptr<Pending> AllReduce(Span data, Reduction reduction) override {
    return Post(AllReduceCall(data, reduction));
  }
  std::unique_ptr<Pending> Broadcast(Span data, int root) override {
    return Post(BroadcastCall(data, root, size()));
  }
  absl::Status Barrier() override { return Post(Call{})->Wait(); }

  void Abort(const std::string& why) override { group_->Abort(rank_, why); }

 private:
  std::unique_ptr<Pending> Post(const absl::StatusOr<Call>& call) {
    if (!call.ok()) return Ended(call.status());
    const absl::StatusOr<int64_t> place = group_->Post(rank_, *call);
    if (!place.ok()) return Ended(place.status());
    return std::make_unique<PostedOperation>(group_.get(), rank_, *place);
  }

  const std::shared_ptr<Group> group_;
  const int rank_;
};

}  // namespace

std::vector<std::unique_ptr<Collectives>> MakeInProcess(int size, absl::Duration deadline) {
  const auto group = std::make_shared<Group>(size, deadline);
  std::vector<std::unique_ptr<Collectives>> ranks;
  for (int rank = 0; rank < size; ++rank) ranks.push_back(std::make_unique<InProcess>(group, rank));
  return ranks;
}

}  // namespace lvrpo
