// NCCL's functions on the host's memory, for tests: built as libnccl_double.so, as NCCL 2.32, and with
// NCCL_DOUBLE_BARE as libnccl_double_bare.so, as 2.28 without Shrink, Revoke and Grow. Ranks are threads or
// processes of this machine; streams are HostStreams; sums are in rank order. Only non-blocking
// communicators. What the real library would hang on is noted as a breach (control.h).
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "collectives/nccl_abi.h"
#include "tests/collectives/nccl_double/communicator.h"
#include "tests/collectives/nccl_double/control.h"
#include "tests/collectives/nccl_double/rendezvous.h"
#include "tests/collectives/nccl_double/rules.h"
#include "tests/testing/host_stream.h"

namespace lvrpo::nccl_double {
namespace {

using Shared = std::shared_ptr<Communicator>;

// The communicators that exist, by the pointer that the caller has.
class Registry {
 public:
  static Registry& Get() {
    static Registry* const registry = new Registry;
    return *registry;
  }

  nccl::Comm* Add(const Shared& communicator) {
    const std::lock_guard lock(mutex_);
    auto* const handle = reinterpret_cast<nccl::Comm*>(communicator.get());
    communicators_[handle] = communicator;
    return handle;
  }

  Shared Find(nccl::Comm* handle, const char* call) {
    const std::lock_guard lock(mutex_);
    const auto found = communicators_.find(handle);
    if (found != communicators_.end()) return found->second;
    Breach(std::string(call) + " on a communicator that was destroyed or aborted");
    return nullptr;
  }

  void Remove(nccl::Comm* handle) {
    Shared last;  // ends after the lock
    const std::lock_guard lock(mutex_);
    const auto found = communicators_.find(handle);
    if (found == communicators_.end()) return;
    last = std::move(found->second);
    communicators_.erase(found);
  }

  int size() {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(communicators_.size());
  }

 private:
  std::mutex mutex_;
  std::map<nccl::Comm*, Shared> communicators_;
};

bool IsUsable(const nccl::Config* config) {
  const nccl::Config defaults;
  if (config == nullptr || config->magic != defaults.magic || config->size != defaults.size) return false;
  if (config->blocking == 0) return true;
  Breach("a communicator in blocking mode: its calls cannot be given a deadline");
  return false;
}

nccl::Result Queue(nccl::Comm* comm, const Header& header, const void* in, void* out, nccl::Stream stream) {
  const Shared found = Registry::Get().Find(comm, "a collective");
  if (found == nullptr) return nccl::kInvalidArgument;
  return found->Queue(header, in, out, static_cast<HostStream*>(stream));
}

nccl::Result End(nccl::Comm* comm, bool is_abort) {
  const Shared found = Registry::Get().Find(comm, is_abort ? "ncclCommAbort" : "ncclCommDestroy");
  if (found == nullptr) return nccl::kInvalidArgument;
  found->End(is_abort);
  Registry::Get().Remove(comm);
  return nccl::kSuccess;
}

}  // namespace
}  // namespace lvrpo::nccl_double

using namespace lvrpo;
using namespace lvrpo::nccl_double;
using nccl::Comm;
using nccl::Result;

extern "C" {

int nccl_double_communicators(void) { return Registry::Get().size(); }

Result ncclGetVersion(int* version) {
#ifdef NCCL_DOUBLE_BARE
  *version = 22800;
#else
  *version = 23203;
#endif
  return nccl::kSuccess;
}

Result ncclGetUniqueId(nccl::UniqueId* id) {
  *id = IdOf(NewMeeting());
  return nccl::kSuccess;
}

const char* ncclGetErrorString(Result result) {
  switch (result) {
    case nccl::kSystemError:
      return "unhandled system error";
    case nccl::kRemoteError:
      return "remote process exited or there was a network error";
    case nccl::kInvalidUsage:
      return "invalid usage";
    default:
      return "an error of the double";
  }
}

const char* ncclGetLastError(Comm* comm) { return "nothing more is known"; }

Result ncclCommInitRankConfig(Comm** comm, int size, nccl::UniqueId id, int rank, nccl::Config* config) {
  if (!IsUsable(config) || size < 1 || size > kMostRanks || rank < 0 || rank >= size)
    return nccl::kInvalidArgument;
  const auto made = std::make_shared<Communicator>(rank, size);
  *comm = Registry::Get().Add(made);
  return made->Init(MeetingOf(id));
}

Result ncclCommGetAsyncError(Comm* comm, Result* state) {
  const Shared found = Registry::Get().Find(comm, "ncclCommGetAsyncError");
  if (found == nullptr) return nccl::kInvalidArgument;
  *state = found->AsyncError();
  return nccl::kSuccess;
}

Result ncclCommFinalize(Comm* comm) {
  const Shared found = Registry::Get().Find(comm, "ncclCommFinalize");
  return found == nullptr ? nccl::kInvalidArgument : found->Finalize();
}

Result ncclCommDestroy(Comm* comm) { return End(comm, false); }
Result ncclCommAbort(Comm* comm) { return End(comm, true); }

Result ncclCommCount(Comm* comm, int* count) {
  const Shared found = Registry::Get().Find(comm, "ncclCommCount");
  if (found == nullptr) return nccl::kInvalidArgument;
  *count = found->size();
  return nccl::kSuccess;
}

Result ncclCommUserRank(Comm* comm, int* rank) {
  const Shared found = Registry::Get().Find(comm, "ncclCommUserRank");
  if (found == nullptr) return nccl::kInvalidArgument;
  *rank = found->rank();
  return nccl::kSuccess;
}

Result ncclAllGather(const void* in, void* out, size_t count, nccl::DataType type, Comm* comm,
                     nccl::Stream stream) {
  return Queue(comm, {.kind = Header::kAllGather, .type = type, .count = count}, in, out, stream);
}

Result ncclReduceScatter(const void* in, void* out, size_t count, nccl::DataType type, nccl::RedOp reduction,
                         Comm* comm, nccl::Stream stream) {
  return Queue(comm, {.kind = Header::kReduceScatter, .type = type, .reduction = reduction, .count = count},
               in, out, stream);
}

Result ncclAllReduce(const void* in, void* out, size_t count, nccl::DataType type, nccl::RedOp reduction,
                     Comm* comm, nccl::Stream stream) {
  return Queue(comm, {.kind = Header::kAllReduce, .type = type, .reduction = reduction, .count = count}, in,
               out, stream);
}

Result ncclBroadcast(const void* in, void* out, size_t count, nccl::DataType type, int root, Comm* comm,
                     nccl::Stream stream) {
  return Queue(comm, {.kind = Header::kBroadcast, .type = type, .root = root, .count = count}, in, out,
               stream);
}

#ifndef NCCL_DOUBLE_BARE

Result ncclCommRevoke(Comm* comm, int flags) {
  const Shared found = Registry::Get().Find(comm, "ncclCommRevoke");
  if (found == nullptr || flags != nccl::kRevokeDefault) return nccl::kInvalidArgument;
  return found->Revoke();
}

Result ncclCommShrink(Comm* comm, int* gone, int gone_count, Comm** made, nccl::Config* config, int flags) {
  const Shared found = Registry::Get().Find(comm, "ncclCommShrink");
  if (found == nullptr || !IsUsable(config) || gone_count < 1) return nccl::kInvalidArgument;
  *made = nullptr;
  return found->Shrink(std::vector<int>(gone, gone + gone_count),
                       [made](const Shared& child) { *made = Registry::Get().Add(child); });
}

Result ncclCommGetUniqueId(Comm* comm, nccl::UniqueId* id) {
  const Shared found = Registry::Get().Find(comm, "ncclCommGetUniqueId");
  return found == nullptr ? nccl::kInvalidArgument : found->NewGrowId(id);
}

Result ncclCommGrow(Comm* comm, int size, const nccl::UniqueId* id, int rank, Comm** made,
                    nccl::Config* config) {
  *made = nullptr;
  if (HasFault("refuse_grow")) return nccl::kInvalidUsage;
  if (!IsUsable(config)) return nccl::kInvalidArgument;
  if (comm == nullptr) {
    return id == nullptr ? nccl::kInvalidArgument : ncclCommInitRankConfig(made, size, *id, rank, config);
  }
  const Shared found = Registry::Get().Find(comm, "ncclCommGrow");
  if (found == nullptr || rank != -1 || size <= found->size()) return nccl::kInvalidArgument;
  Shared child;
  const Result result = found->Grow(size, id, &child);
  if (child != nullptr) *made = Registry::Get().Add(child);
  return result;
}

#endif
}
