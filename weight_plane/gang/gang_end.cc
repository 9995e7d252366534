#include "weight_plane/gang/gang_end.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collectives/poll_pauses.h"

namespace lvrpo {
namespace {

using Plan = v1::GangPlan;

absl::Status Wrong(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the plan of a broadcast: ", what));
}

nccl::UniqueId IdOf(const Plan& plan) {
  nccl::UniqueId id = {};
  std::memcpy(id.internal, plan.unique_id().data(), std::min(sizeof(id), plan.unique_id().size()));
  return id;
}

}  // namespace

absl::Status CheckPlan(const Plan& plan) {
  const bool has_id = plan.way() == Plan::NEW || plan.way() == Plan::JOIN;
  if (plan.way() == Plan::WAY_UNSPECIFIED || !Plan::Way_IsValid(plan.way())) return Wrong("no way");
  if (plan.gang() == 0) return Wrong("no name");
  if (plan.size() < 2 || plan.size() > kMostGangRanks) return Wrong(absl::StrCat(plan.size(), " ranks"));
  if (plan.rank() < 1 || plan.rank() >= plan.size())
    return Wrong(absl::StrCat("rank ", plan.rank(), " of ", plan.size()));
  if ((plan.way() == Plan::SHRINK) != (plan.gone_size() > 0)) return Wrong("who is gone");
  if (plan.gone_size() > kMostGangRanks) return Wrong("too many are gone");
  for (int i = 0; i < plan.gone_size(); ++i) {
    if (plan.gone(i) <= (i == 0 ? 0 : plan.gone(i - 1))) return Wrong("who is gone, in another order");
  }
  if (plan.unique_id().size() != (has_id ? sizeof(nccl::UniqueId) : 0)) return Wrong("its unique id");
  if (plan.chunk_bytes() < 1 || plan.chunk_bytes() > kMostChunkBytes) return Wrong("chunks of a wrong size");
  if (plan.measured_bytes() < 0 || plan.measured_bytes() > kMostMeasuredBytes)
    return Wrong("what to measure");
  return absl::OkStatus();
}

std::vector<int64_t> ChunksOf(const std::vector<int64_t>& bucket_bytes, int64_t chunk_bytes) {
  std::vector<int64_t> chunks;
  for (const int64_t bytes : bucket_bytes) {
    for (int64_t begin = 0; begin < bytes; begin += chunk_bytes)
      chunks.push_back(std::min(chunk_bytes, bytes - begin));
  }
  return chunks;
}

GangEnd::~GangEnd() {
  Break(absl::AbortedError("this rank leaves"));
  collectives_.reset();
  FreeBuffers();
  if (copies_.handle != nullptr) place_.device->DestroyStream(copies_).IgnoreError();
}

// ---- Making it.

absl::Status GangEnd::Rebuild(const Plan& plan) {
  if (absl::Status status = Prepare(plan.chunk_bytes()); !status.ok()) return status;
  chunks_.clear();
  next_ = 0;
  if (plan.way() == Plan::KEEP) {
    const bool is_same = collectives_ != nullptr && !broken() && gang_ == plan.gang() &&
                         collectives_->rank() == plan.rank() && collectives_->size() == plan.size();
    return is_same ? absl::OkStatus() : absl::FailedPreconditionError("this rank has no such communicator");
  }
  if (gang_ == plan.gang()) return absl::FailedPreconditionError("this communicator was made before");
  gang_ = plan.gang();
  absl::StatusOr<std::unique_ptr<NcclCommunicator>> made = Make(plan);
  error_ = made.status();
  if (!made.ok()) return error_;
  if ((*made)->rank() != plan.rank() || (*made)->size() != plan.size()) {
    error_ = absl::InternalError(absl::StrCat("this is rank ", (*made)->rank(), " of ", (*made)->size(),
                                              ", not ", plan.rank(), " of ", plan.size()));
    (*made)->Break(error_).IgnoreError();
    return error_;
  }
  absl::StatusOr<std::unique_ptr<NcclCollectives>> over = NcclCollectives::Over(*std::move(made), copies_);
  error_ = over.status();
  if (over.ok()) collectives_ = *std::move(over);
  return error_;
}

absl::StatusOr<std::unique_ptr<NcclCommunicator>> GangEnd::Make(const Plan& plan) {
  if (plan.way() == Plan::SHRINK || plan.way() == Plan::GROW) {
    if (collectives_ == nullptr) return absl::FailedPreconditionError("this rank has no communicator");
    const std::vector<int> gone(plan.gone().begin(), plan.gone().end());
    const int rank = collectives_->rank(), size = collectives_->size();
    if (!gone.empty() && (gone.back() >= size || std::find(gone.begin(), gone.end(), rank) != gone.end()))
      return absl::FailedPreconditionError(
          "the plan of a broadcast: others are gone than its communicator has");
    std::unique_ptr<NcclCommunicator> old = NcclCollectives::TakeCommunicator(std::move(collectives_));
    if (plan.way() == Plan::SHRINK) return NcclCommunicator::Shrink(std::move(old), gone);
    const nccl::UniqueId id = IdOf(plan);
    return NcclCommunicator::Grow(std::move(old), plan.size(), plan.unique_id().empty() ? nullptr : &id);
  }
  // The old one is not ended together with its other ranks: some may be gone.
  Break(absl::AbortedError("another communicator replaces it"));
  collectives_.reset();
  if (plan.way() == Plan::JOIN) return NcclCommunicator::Join(place_, IdOf(plan), plan.rank(), plan.size());
  return NcclCommunicator::Make(place_, IdOf(plan), plan.rank(), plan.size());
}

absl::StatusOr<nccl::UniqueId> GangEnd::NewcomersId() {
  if (collectives_ == nullptr) return absl::FailedPreconditionError("this rank has no communicator");
  return collectives_->NewcomersId();
}

absl::Status GangEnd::Prepare(int64_t chunk_bytes) {
  if (copies_.handle == nullptr) {
    const absl::StatusOr<DeviceStream> copies = place_.device->CreateStream();
    if (!copies.ok()) return copies.status();
    copies_ = *copies;
  }
  if (chunk_bytes_ == chunk_bytes) return absl::OkStatus();
  FreeBuffers();
  for (Buffer& buffer : buffers_) {
    const absl::StatusOr<void*> memory = place_.device->Allocate(chunk_bytes);
    if (!memory.ok()) return memory.status();
    buffer.device = *memory;
    buffer.host = std::make_unique_for_overwrite<char[]>(static_cast<size_t>(chunk_bytes));
  }
  chunk_bytes_ = chunk_bytes;
  return absl::OkStatus();
}

void GangEnd::FreeBuffers() {
  const bool idle = Idle();
  chunk_bytes_ = 0;
  for (Buffer& buffer : buffers_) {
    if (!idle) {  // the device may still write to them
      (void)buffer.host.release();
    } else if (buffer.device != nullptr) {
      place_.device->Free(buffer.device).IgnoreError();
    }
    buffer.device = nullptr;
    buffer.host.reset();
  }
}

// ---- Bytes.

absl::Status GangEnd::Send(const std::vector<absl::string_view>& buckets, absl::Time deadline) {
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  size_t chunk = 0;
  for (const absl::string_view bucket : buckets) {
    for (size_t begin = 0; begin < bucket.size(); begin += static_cast<size_t>(chunk_bytes_), ++chunk) {
      Buffer& buffer = buffers_[chunk % buffers_.size()];
      if (absl::Status status = Await(buffer); !status.ok()) return status;
      if (place_.limits.waiting.clock->Now() > deadline) return Fail(TooLong());
      const absl::string_view piece = bucket.substr(begin, static_cast<size_t>(chunk_bytes_));
      const auto bytes = static_cast<int64_t>(piece.size());
      const absl::Status copied = place_.device->CopyAsync(buffer.device, piece.data(), bytes, copies_);
      if (!copied.ok()) return Fail(copied);
      Post(buffer, bytes);
    }
  }
  for (Buffer& buffer : buffers_) {
    if (absl::Status status = Await(buffer); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status GangEnd::Expect(const std::vector<int64_t>& bucket_bytes, absl::Time deadline) {
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  chunks_ = ChunksOf(bucket_bytes, chunk_bytes_);
  next_ = 0;
  deadline_ = deadline;
  return absl::OkStatus();
}

absl::StatusOr<size_t> GangEnd::Next(std::span<char> into) {
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  if (complete() || chunks_[next_] > static_cast<int64_t>(into.size()))
    return absl::FailedPreconditionError("more is read than is broadcast");
  if (place_.limits.waiting.clock->Now() > deadline_) return Fail(TooLong());
  // One chunk comes while the one before is copied out.
  for (size_t chunk = next_; chunk < std::min(next_ + buffers_.size(), chunks_.size()); ++chunk) {
    Buffer& buffer = buffers_[chunk % buffers_.size()];
    if (buffer.pending == nullptr) Post(buffer, chunks_[chunk]);
  }
  Buffer& buffer = buffers_[next_ % buffers_.size()];
  if (absl::Status status = Await(buffer); !status.ok()) return status;
  const int64_t bytes = chunks_[next_];
  const absl::Status copied = place_.device->CopyAsync(buffer.host.get(), buffer.device, bytes, copies_);
  if (!copied.ok()) return Fail(copied);
  if (absl::Status status = AwaitCopies(place_.limits.operation); !status.ok()) return Fail(status);
  std::memcpy(into.data(), buffer.host.get(), static_cast<size_t>(bytes));
  ++next_;
  return static_cast<size_t>(bytes);
}

absl::Status GangEnd::Barrier() {
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const absl::Status status = collectives_->Barrier();
  return status.ok() ? status : Fail(status);
}

void GangEnd::Post(Buffer& buffer, int64_t bytes) {
  buffer.pending =
      collectives_->Broadcast({.data = buffer.device, .count = bytes, .element = Element::kByte}, 0);
}

absl::Status GangEnd::Await(Buffer& buffer) {
  if (buffer.pending == nullptr) return absl::OkStatus();
  const absl::Status status = buffer.pending->Wait();
  buffer.pending.reset();
  return status.ok() ? status : Fail(status);
}

absl::Status GangEnd::AwaitCopies(absl::Duration limit) {
  const absl::StatusOr<DeviceEvent> end = place_.device->Record(copies_);
  if (!end.ok()) return end.status();
  const Waiting& waiting = place_.limits.waiting;
  const absl::Time deadline = waiting.clock->Now() + limit;
  absl::StatusOr<bool> done = false;
  for (PollPauses pauses(waiting);; pauses.Pause()) {
    done = place_.device->IsDone(*end);
    if (!done.ok() || *done || waiting.clock->Now() >= deadline) break;
  }
  place_.device->Release(*end);
  if (!done.ok()) return done.status();
  return *done ? absl::OkStatus() : absl::DeadlineExceededError("the GPU does not copy");
}

bool GangEnd::Idle() {
  if (copies_.handle == nullptr) return true;
  const absl::Status status = AwaitCopies(place_.limits.stopping);
  return status.ok() || absl::IsInternal(status);  // a device that has failed copies nothing
}

// ---- Its end.

absl::Status GangEnd::CheckUsable() const {
  if (broken()) return error_;
  return collectives_ != nullptr ? absl::OkStatus()
                                 : absl::FailedPreconditionError("this rank has no communicator");
}

absl::Status GangEnd::TooLong() const { return absl::DeadlineExceededError("the broadcast took too long"); }

absl::Status GangEnd::Fail(const absl::Status& error) {
  Break(error);
  return error_;
}

void GangEnd::Break(const absl::Status& why) {
  if (collectives_ == nullptr || broken()) return;
  error_ = why;
  collectives_->Abort(std::string(why.message()));
  for (Buffer& buffer : buffers_) buffer.pending.reset();
}

}  // namespace lvrpo
