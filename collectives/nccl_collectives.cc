#include "collectives/nccl_collectives.h"

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "collectives/poll_pauses.h"

namespace lvrpo {
namespace {

nccl::DataType TypeOf(Element element) {
  switch (element) {
    case Element::kFloat32:
      return nccl::kFloat32;
    case Element::kFloat64:
      return nccl::kFloat64;
    case Element::kBFloat16:
      return nccl::kBfloat16;
    case Element::kInt64:
      return nccl::kInt64;
    case Element::kByte:
      break;
  }
  return nccl::kUint8;
}

nccl::RedOp RedOpOf(Reduction reduction) {
  switch (reduction) {
    case Reduction::kMax:
      return nccl::kMax;
    case Reduction::kMin:
      return nccl::kMin;
    case Reduction::kSum:
      break;
  }
  return nccl::kSum;
}

nccl::Result Give(const nccl::Functions& nccl, nccl::Comm* comm, const Call& call, void* barrier,
                  nccl::Stream stream) {
  const Operation& operation = call.operation;
  const auto count = static_cast<size_t>(operation.count);
  const nccl::DataType type = TypeOf(operation.element);
  switch (operation.kind) {
    case Operation::Kind::kAllGather:
      return nccl.AllGather(call.in, call.out, count, type, comm, stream);
    case Operation::Kind::kReduceScatter:
      return nccl.ReduceScatter(call.in, call.out, count, type, nccl::kSum, comm, stream);
    case Operation::Kind::kAllReduce:
      return nccl.AllReduce(call.in, call.out, count, type, RedOpOf(operation.reduction), comm, stream);
    case Operation::Kind::kBroadcast:
      return nccl.Broadcast(call.in, call.out, count, type, operation.root, comm, stream);
    case Operation::Kind::kBarrier:
      break;
  }
  return nccl.AllReduce(barrier, barrier, 1, nccl::kInt64, nccl::kMax, comm, stream);
}

absl::Status Of(const Operation& operation, int64_t place, const absl::Status& error) {
  return absl::Status(error.code(), absl::StrCat(InWords(operation, place), ": ", error.message()));
}

}  // namespace

class NcclCollectives::QueuedOperation : public Pending {
 public:
  QueuedOperation(NcclCollectives* collectives, std::shared_ptr<Queued> queued)
      : collectives_(collectives), queued_(std::move(queued)) {}
  ~QueuedOperation() override { Wait().IgnoreError(); }
  absl::Status Wait() override {
    collectives_->WaitUntil([this] { return queued_->result.has_value(); });
    return *queued_->result;
  }

 private:
  NcclCollectives* const collectives_;
  const std::shared_ptr<Queued> queued_;
};

absl::StatusOr<std::unique_ptr<NcclCollectives>> NcclCollectives::Over(
    std::unique_ptr<NcclCommunicator> communicator, DeviceStream producer) {
  auto made = absl::WrapUnique(new NcclCollectives(std::move(communicator), producer));
  const absl::StatusOr<DeviceStream> stream = made->device().CreateStream();
  if (!stream.ok()) return stream.status();
  made->stream_ = *stream;
  const absl::StatusOr<void*> barrier = made->device().Allocate(sizeof(int64_t));
  if (!barrier.ok()) return barrier.status();
  made->barrier_ = *barrier;
  return made;
}

NcclCollectives::~NcclCollectives() {
  communicator_.reset();  // before what it uses
  if (stream_.handle != nullptr) device().DestroyStream(stream_).IgnoreError();
  if (barrier_ != nullptr) device().Free(barrier_).IgnoreError();
}

std::unique_ptr<NcclCommunicator> NcclCollectives::TakeCommunicator(
    std::unique_ptr<NcclCollectives> collectives) {
  return std::move(collectives->communicator_);
}

std::unique_ptr<Pending> NcclCollectives::AllGather(ConstSpan in, Span out) {
  return Post(AllGatherCall(in, out, size()));
}

std::unique_ptr<Pending> NcclCollectives::ReduceScatter(ConstSpan in, Span out) {
  return Post(ReduceScatterCall(in, out, size()));
}

std::unique_ptr<Pending> NcclCollectives::AllReduce(Span data, Reduction reduction) {
  return Post(AllReduceCall(data, reduction));
}

std::unique_ptr<Pending> NcclCollectives::Broadcast(Span data, int root) {
  return Post(BroadcastCall(data, root, size()));
}

absl::Status NcclCollectives::Barrier() { return Post(Call{})->Wait(); }

void NcclCollectives::Abort(const std::string& why) {
  communicator_->Break(absl::AbortedError(why)).IgnoreError();
}

std::unique_ptr<Pending> NcclCollectives::Post(const absl::StatusOr<Call>& call) {
  if (!call.ok()) return Ended(call.status());
  // The library takes a call when it has taken the one before it.
  WaitUntil([this] { return queued_.empty() || queued_.back()->end.has_value(); });
  if (absl::Status status = communicator_->status(); !status.ok()) return Ended(status);
  auto queued = std::make_shared<Queued>(Queued{
      .operation = call->operation, .place = next_place_++, .called_at = place_.limits.waiting.clock->Now()});
  queued_.push_back(queued);
  if (absl::Status status = Queue(*call); !status.ok()) Fail(Of(queued->operation, queued->place, status));
  return std::make_unique<QueuedOperation>(this, std::move(queued));
}

absl::Status NcclCollectives::Queue(const Call& call) {
  const absl::StatusOr<DeviceEvent> inputs = device().Record(producer_);
  if (!inputs.ok()) return inputs.status();
  const absl::Status ordered = device().WaitFor(stream_, *inputs);
  device().Release(*inputs);
  if (!ordered.ok()) return ordered;
  return communicator_->Queue([&](const nccl::Functions& nccl, nccl::Comm* comm) {
    return Give(nccl, comm, call, barrier_, stream_.handle);
  });
}

void NcclCollectives::WaitUntil(const std::function<bool()>& is_so) {
  for (PollPauses pauses(place_.limits.waiting); !is_so(); pauses.Pause()) {
    Look();
    if (is_so()) return;
  }
}

void NcclCollectives::Look() {
  if (queued_.empty()) return;
  if (absl::Status seen = TryLook(); !seen.ok())
    Fail(Of(queued_.front()->operation, queued_.front()->place, seen));
}

absl::Status NcclCollectives::TryLook() {
  const absl::StatusOr<bool> ready = communicator_->IsReady();
  if (!ready.ok()) return ready.status();
  if (*ready && !queued_.back()->end) {
    const absl::StatusOr<DeviceEvent> end = device().Record(stream_);
    if (!end.ok()) return end.status();
    queued_.back()->end = *end;
  }
  const absl::Time now = place_.limits.waiting.clock->Now();
  while (!queued_.empty() && queued_.front()->end) {
    const absl::StatusOr<bool> done = device().IsDone(*queued_.front()->end);
    if (!done.ok()) return done.status();
    if (!*done) break;
    device().Release(*queued_.front()->end);
    queued_.front()->result = absl::OkStatus();
    queued_.pop_front();
    last_done_at_ = now;
  }
  if (!queued_.empty() &&
      now >= std::max(queued_.front()->called_at, last_done_at_) + place_.limits.operation) {
    return absl::DeadlineExceededError(
        absl::StrCat("did not end within ", absl::FormatDuration(place_.limits.operation)));
  }
  return absl::OkStatus();
}

void NcclCollectives::Fail(const absl::Status& error) {
  absl::Status kept = communicator_->Break(error);
  if (!DeviceIsIdle()) {
    kept = absl::Status(kept.code(),
                        absl::StrCat(kept.message(), "; and the GPU did not stop: this process must end"));
  }
  for (const auto& queued : queued_) {
    if (queued->end) device().Release(*queued->end);
    queued->result = kept;
  }
  queued_.clear();
}

bool NcclCollectives::DeviceIsIdle() {
  const absl::StatusOr<DeviceEvent> end = device().Record(stream_);
  if (!end.ok()) return true;  // the device has failed and runs nothing
  const Waiting& waiting = place_.limits.waiting;
  const absl::Time deadline = waiting.clock->Now() + place_.limits.stopping;
  absl::StatusOr<bool> done = false;
  for (PollPauses pauses(waiting); waiting.clock->Now() < deadline; pauses.Pause()) {
    done = device().IsDone(*end);
    if (!done.ok() || *done) break;
  }
  device().Release(*end);
  return !done.ok() || *done;
}

}  // namespace lvrpo
