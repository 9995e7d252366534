#include "tests/collectives/nccl_double/communicator.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "collectives/reduce.h"
#include "tests/collectives/nccl_double/rules.h"

namespace lvrpo::nccl_double {
namespace {

std::string Words(const Header& header) {
  static const char* const kNames[] = {"AllGather", "ReduceScatter", "AllReduce",
                                       "Broadcast", "a goodbye",     "a grow id"};
  return std::string(kNames[header.kind]) + "(type " + std::to_string(header.type) + ", reduction " +
         std::to_string(header.reduction) + ", root " + std::to_string(header.root) + ", count " +
         std::to_string(header.count) + ") at place " + std::to_string(header.place);
}

Element ElementOf(int type) {
  switch (type) {
    case nccl::kInt64:
      return Element::kInt64;
    case nccl::kFloat32:
      return Element::kFloat32;
    case nccl::kFloat64:
      return Element::kFloat64;
    case nccl::kBfloat16:
      return Element::kBFloat16;
    default:
      return Element::kByte;
  }
}

Reduction ReductionOf(int reduction) {
  return reduction == nccl::kMax   ? Reduction::kMax
         : reduction == nccl::kMin ? Reduction::kMin
                                   : Reduction::kSum;
}

void AwaitStop(const Bell& stop) { AwaitEither(stop, stop); }

}  // namespace

Communicator::~Communicator() {
  if (job_.joinable()) job_.join();
}

// ---- Calls and their state.

nccl::Result Communicator::MayCall(const char* call) {
  const std::lock_guard lock(mutex_);
  if (is_child_growing_) {
    Breach(std::string(call) + " on the parent while a child is made of it");
    return nccl::kInvalidUsage;
  }
  if (finalizing_) {
    Breach(std::string(call) + " after ncclCommFinalize");
    return nccl::kInvalidUsage;
  }
  if (state_ != nccl::kInProgress && state_ != nccl::kSuccess) return state_;
  if (!seen_ready_) {
    Breach(std::string(call) +
           " before the call before it, or the init, has ended: ncclCommGetAsyncError did not say "
           "ncclSuccess");
    return nccl::kInvalidArgument;
  }
  if (revoked_ && std::strcmp(call, "ncclCommShrink") != 0) return nccl::kInvalidUsage;
  seen_ready_ = false;
  return nccl::kSuccess;
}

nccl::Result Communicator::AsyncError() {
  const std::lock_guard lock(mutex_);
  if (finalizing_ && !finalized_ && state_ == nccl::kSuccess) {
    // Waits for ever when a peer has aborted, as the real one may.
    if (running_ > 0 || PeerIsLost()) return nccl::kInProgress;
    ToAll({.kind = Header::kGoodbye}, nullptr, 0);  // to some who have left after theirs
    finalized_ = true;
  }
  if (state_ == nccl::kSuccess && polls_in_progress_ > 0) {
    --polls_in_progress_;
    return nccl::kInProgress;
  }
  seen_ready_ = state_ == nccl::kSuccess;
  if (seen_ready_ && growing_ != nullptr) {
    const std::lock_guard parents(growing_->mutex_);
    growing_->is_child_growing_ = false;
    growing_->has_grow_id_ = false;
    growing_->seen_ready_ = true;
    growing_.reset();
  }
  return state_;
}

void Communicator::SetState(nccl::Result state) {
  const std::lock_guard lock(mutex_);
  state_ = state;
}

void Communicator::Start(std::function<nccl::Result()> job) {
  if (job_.joinable()) job_.join();
  SetState(nccl::kInProgress);
  job_ = std::thread([this, job = std::move(job)] { SetState(job()); });
}

// ---- How communicators are made.

nccl::Result Communicator::Init(const Meeting& meeting) {
  Start(
      [this, meeting] { return HasFault("die_in_init", rank_) ? nccl::kSystemError : Join(meeting, stop_); });
  return nccl::kInProgress;
}

nccl::Result Communicator::Join(const Meeting& meeting, const Bell& stop) {
  const std::string address = NewAddress();
  const Fd listener = Listen(address);
  switch (Meet(meeting, rank_, size_, address, stop, &table_)) {
    case Met::kAll:
      break;
    case Met::kStopped:
      return nccl::kInProgress;
    case Met::kNobodyThere:  // a stale id
      return nccl::kRemoteError;
    case Met::kUsedBefore:
      Breach("an id used twice, or for different numbers of ranks: " + meeting.name);
      AwaitStop(stop);
      return nccl::kInProgress;
  }
  meeting_ = meeting;
  peers_ = std::vector<Fd>(static_cast<size_t>(size_));
  for (int other = 0; other < rank_; ++other) {
    Fd fd = Connect(table_[other].listens_at);
    if (!fd) return nccl::kRemoteError;
    const Transfer hello = {
        .fd = fd.get(), .out = reinterpret_cast<const char*>(&rank_), .out_bytes = sizeof(rank_)};
    if (Exchange({hello}, stop) != Io::kDone) return nccl::kRemoteError;
    peers_[other] = std::move(fd);
  }
  for (int count = rank_ + 1; count < size_; ++count) {
    Fd fd = Accept(listener, stop);
    if (!fd) return nccl::kInProgress;
    int other = 0;
    const Transfer hello = {.fd = fd.get(), .in = reinterpret_cast<char*>(&other), .in_bytes = sizeof(other)};
    if (Exchange({hello}, stop) != Io::kDone) return nccl::kRemoteError;
    peers_[other] = std::move(fd);
  }
  return nccl::kSuccess;
}

nccl::Result Communicator::Shrink(std::vector<int> gone,
                                  std::function<void(std::shared_ptr<Communicator>)> made) {
  if (const nccl::Result may = MayCall("ncclCommShrink"); may != nccl::kSuccess) return may;
  // Named after the parent and who is gone: the survivors need no id. The lowest of them holds the meeting.
  Meeting meeting = {.root = "", .name = meeting_.name + "/without"};
  int rank = rank_;
  std::vector<bool> is_gone(static_cast<size_t>(size_));
  for (int other : gone) {
    is_gone[other] = true;
    rank -= other < rank_ ? 1 : 0;
    meeting.name += "-" + std::to_string(other);
  }
  for (int other = size_ - 1; other >= 0; --other) {
    if (!is_gone[other]) meeting.root = table_[other].root;
  }
  StopOperations();
  stop_.Reset();
  auto child = std::make_shared<Communicator>(rank, size_ - static_cast<int>(gone.size()));
  Start([this, meeting, child, made = std::move(made)] {
    if (HasFault("die_in_shrink", rank_)) return nccl::kSystemError;
    const nccl::Result result = child->Join(meeting, stop_);
    if (result != nccl::kSuccess) return result;
    child->seen_ready_ = true;  // the parent tells
    made(child);
    return result;
  });
  return nccl::kInProgress;
}

nccl::Result Communicator::NewGrowId(nccl::UniqueId* id) {
  if (const nccl::Result may = MayCall("ncclCommGetUniqueId"); may != nccl::kSuccess) return may;
  {
    const std::lock_guard lock(mutex_);
    seen_ready_ = true;
    if (has_grow_id_) {
      Breach("ncclCommGetUniqueId before the last one's id was used");
      return nccl::kInvalidUsage;
    }
    has_grow_id_ = true;
  }
  *id = IdOf(NewMeeting());
  return ToAll({.kind = Header::kGrowId}, id->internal, sizeof(id->internal)) ? nccl::kSuccess
                                                                              : nccl::kRemoteError;
}

nccl::Result Communicator::FindGrowId(const Bell& stop, nccl::UniqueId* id) {
  // It lies in the socket to whoever made it, and nothing in the others.
  std::vector<int> fds;
  for (const Fd& peer : peers_) {
    if (peer) fds.push_back(peer.get());
  }
  const int fd = AwaitReadable(fds, stop);
  if (fd < 0) return nccl::kInProgress;
  Header header;
  const Io io =
      Exchange({{.fd = fd, .in = reinterpret_cast<char*>(&header), .in_bytes = sizeof(header)}}, stop);
  if (io != Io::kDone || header.kind != Header::kGrowId) return nccl::kRemoteError;
  const Io read = Exchange({{.fd = fd, .in = id->internal, .in_bytes = sizeof(id->internal)}}, stop);
  return read == Io::kDone ? nccl::kSuccess : nccl::kRemoteError;
}

nccl::Result Communicator::Grow(int size, const nccl::UniqueId* id, std::shared_ptr<Communicator>* child) {
  if (const nccl::Result may = MayCall("ncclCommGrow"); may != nccl::kSuccess) return may;
  {
    const std::lock_guard lock(mutex_);
    is_child_growing_ = true;
  }
  *child = std::make_shared<Communicator>(rank_, size);
  (*child)->growing_ = shared_from_this();
  const bool has_id = id != nullptr;
  const nccl::UniqueId given = has_id ? *id : nccl::UniqueId{};
  (*child)->Start([raw = child->get(), parent = shared_from_this(), has_id, given] {
    nccl::UniqueId found = given;
    if (!has_id) {
      if (const nccl::Result result = parent->FindGrowId(raw->stop_, &found); result != nccl::kSuccess)
        return result;
    }
    return raw->Join(MeetingOf(found), raw->stop_);
  });
  return nccl::kInProgress;
}

// ---- How they end.

void Communicator::StopOperations() {
  stop_.Ring();
  if (job_.joinable()) job_.join();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return running_ == 0; });
  peers_.clear();
}

nccl::Result Communicator::Revoke() {
  {
    const std::lock_guard lock(mutex_);
    if (finalizing_ || revoked_) return nccl::kInvalidArgument;
    revoked_ = true;
  }
  if (HasFault("stick_in_revoke", rank_)) AwaitStop(Released());
  StopOperations();
  const std::lock_guard lock(mutex_);
  state_ = nccl::kSuccess;
  polls_in_progress_ = 1;
  seen_ready_ = false;
  return nccl::kInProgress;
}

nccl::Result Communicator::Finalize() {
  if (const nccl::Result may = MayCall("ncclCommFinalize"); may != nccl::kSuccess) return may;
  const std::lock_guard lock(mutex_);
  finalizing_ = true;
  return nccl::kInProgress;
}

bool Communicator::PeerIsLost() {
  for (const Fd& peer : peers_) {
    if (!peer) continue;
    Header header;
    const ssize_t peeked = recv(peer.get(), &header, sizeof(header), MSG_PEEK | MSG_DONTWAIT);
    if (peeked == 0 || (peeked < 0 && errno != EAGAIN)) return true;
  }
  return false;
}

void Communicator::End(bool is_abort) {
  if (!is_abort) {
    const std::lock_guard lock(mutex_);
    if (!finalized_ && running_ > 0) Breach("ncclCommDestroy with operations in progress");
    if (!finalized_ && PeerIsLost()) Breach("ncclCommDestroy after a peer aborted: it waits for that peer");
  } else if (HasFault("stick_in_abort", rank_)) {
    AwaitStop(Released());
  }
  StopOperations();
  growing_.reset();
}

// ---- Operations.

nccl::Result Communicator::Queue(Header header, const void* in, void* out, HostStream* stream) {
  if (const nccl::Result may = MayCall("a collective"); may != nccl::kSuccess) return may;
  {
    const std::lock_guard lock(mutex_);
    header.place = next_place_++;
    polls_in_progress_ = 1;
    ++running_;
  }
  stream->Queue([self = shared_from_this(), header, in, out] {
    self->Run(header, static_cast<const char*>(in), static_cast<char*>(out));
    const std::lock_guard lock(self->mutex_);
    --self->running_;
    self->changed_.notify_all();
  });
  return nccl::kInProgress;
}

void Communicator::Run(const Header& header, const char* in, char* out) {
  const int place = static_cast<int>(header.place);
  if (HasFault("hold", rank_, place)) AwaitEither(Released(), stop_);
  if (stop_.HasRung()) return;  // what is queued after an aborted operation never begins
  if (HasFault("drop", rank_, place)) return AwaitStop(stop_);
  if (HasFault("error", rank_, place)) {
    SetState(nccl::kSystemError);
    return AwaitStop(stop_);
  }
  const Io io = Work(header, in, out);
  if (io == Io::kClosed && !HasFault("silent_loss")) SetState(nccl::kRemoteError);
  // What cannot end waits, as a kernel does, for the abort.
  if (io != Io::kDone || HasFault("stall", rank_, place)) AwaitStop(stop_);
}

bool Communicator::HeadersAgree(const Header& header, const std::vector<Header>& theirs) {
  for (int other = 0; other < size_; ++other) {
    if (other == rank_ || std::memcmp(&header, &theirs[other], sizeof(header)) == 0) continue;
    if (theirs[other].kind != Header::kGoodbye) {
      Breach("ranks call in different order: rank " + std::to_string(rank_) + " " + Words(header) +
             ", rank " + std::to_string(other) + " " + Words(theirs[other]));
    }
    return false;
  }
  return true;
}

bool Communicator::ToAll(const Header& header, const char* payload, size_t bytes) {
  bool all = true;
  for (const Fd& peer : peers_) {
    if (!peer) continue;
    const Transfer first = {
        .fd = peer.get(), .out = reinterpret_cast<const char*>(&header), .out_bytes = sizeof(header)};
    const Transfer then = {.fd = peer.get(), .out = payload, .out_bytes = bytes};
    all &= Exchange({first}, stop_) == Io::kDone && Exchange({then}, stop_) == Io::kDone;
  }
  return all;
}

Io Communicator::Work(const Header& header, const char* in, char* out) {
  std::vector<Header> theirs(static_cast<size_t>(size_));
  std::vector<Transfer> transfers;
  for (int other = 0; other < size_; ++other) {
    if (other == rank_) continue;
    transfers.push_back({.fd = peers_[other].get(),
                         .out = reinterpret_cast<const char*>(&header),
                         .out_bytes = sizeof(header),
                         .in = reinterpret_cast<char*>(&theirs[other]),
                         .in_bytes = sizeof(header)});
  }
  if (const Io io = Exchange(transfers, stop_); io != Io::kDone) return io;
  if (!HeadersAgree(header, theirs)) return Io::kClosed;

  const Element element = ElementOf(header.type);
  const size_t bytes = header.count * static_cast<size_t>(SizeOf(element));
  const bool is_gather = header.kind == Header::kAllGather, is_broadcast = header.kind == Header::kBroadcast;
  const bool is_reduction = !is_gather && !is_broadcast;
  const size_t step =
      header.kind == Header::kReduceScatter ? bytes : 0;  // between the parts that ranks are sent
  std::vector<std::string> received(static_cast<size_t>(size_));
  transfers.clear();
  for (int other = 0; other < size_; ++other) {
    if (other == rank_) continue;
    Transfer transfer = {.fd = peers_[other].get()};
    if (!is_broadcast || header.root == rank_) {
      transfer.out = in + step * static_cast<size_t>(other);
      transfer.out_bytes = bytes;
    }
    if (is_reduction) received[other].resize(bytes);
    transfer.in = is_gather      ? out + bytes * static_cast<size_t>(other)
                  : is_broadcast ? out
                                 : received[other].data();
    transfer.in_bytes = !is_broadcast || header.root == other ? bytes : 0;
    transfers.push_back(transfer);
  }
  if (const Io io = Exchange(transfers, stop_); io != Io::kDone) return io;

  const char* const own = in + step * static_cast<size_t>(rank_);
  if (is_reduction) {
    std::vector<const void*> inputs;
    for (int other = 0; other < size_; ++other) {
      inputs.push_back(other == rank_ ? own : received[other].data());
    }
    Reduce(element, ReductionOf(header.reduction), inputs, static_cast<int64_t>(header.count), out);
  } else {
    char* const to = is_gather ? out + bytes * static_cast<size_t>(rank_) : out;
    if ((is_gather || header.root == rank_) && to != own && bytes > 0) std::memmove(to, own, bytes);
  }
  return Io::kDone;
}

}  // namespace lvrpo::nccl_double
