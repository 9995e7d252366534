#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "collectives/nccl_abi.h"
#include "tests/collectives/nccl_double/rendezvous.h"
#include "tests/collectives/nccl_double/wire.h"
#include "tests/testing/host_stream.h"

namespace lvrpo::nccl_double {

// What ranks tell each other before each operation: it must be the same on all.
struct Header {
  enum Kind : int { kAllGather, kReduceScatter, kAllReduce, kBroadcast, kGoodbye, kGrowId };
  Kind kind = kGoodbye;
  int type = 0;
  int reduction = 0;
  int root = 0;
  uint64_t count = 0;
  uint64_t place = 0;  // in the order of the communicator's operations
};

// One rank's communicator: a socket to each other rank, and the state that NCCL's rules are about.
// Thread-safe, apart from what the rules forbid.
class Communicator : public std::enable_shared_from_this<Communicator> {
 public:
  Communicator(int rank, int size) : rank_(rank), size_(size) {}
  ~Communicator();

  int rank() const { return rank_; }
  int size() const { return size_; }

  // Each begins what GetAsyncError() then tells of.
  nccl::Result Init(const Meeting& meeting);
  nccl::Result Queue(Header header, const void* in, void* out, HostStream* stream);
  nccl::Result Finalize();
  nccl::Result Revoke();
  // Sets *made to the child, with the ranks but `gone`, once it is made.
  nccl::Result Shrink(std::vector<int> gone, std::function<void(std::shared_ptr<Communicator>)> made);
  nccl::Result NewGrowId(nccl::UniqueId* id);
  // The child of an existing rank; `id` on the one that made it.
  nccl::Result Grow(int size, const nccl::UniqueId* id, std::shared_ptr<Communicator>* child);

  nccl::Result AsyncError();
  // Frees everything. `is_abort`: whatever is in progress.
  void End(bool is_abort);

 private:
  // Whether `call` may be made now: otherwise notes the broken rule, and gives what NCCL would return.
  nccl::Result MayCall(const char* call);
  // Runs `job` in a thread; its result becomes the state.
  void Start(std::function<nccl::Result()> job);
  // Meets the other ranks and connects to each. Ended by `stop`.
  nccl::Result Join(const Meeting& meeting, const Bell& stop);
  void Run(const Header& header, const char* in, char* out);
  // The work of an operation with the other ranks.
  Io Work(const Header& header, const char* in, char* out);
  bool HeadersAgree(const Header& header, const std::vector<Header>& theirs);
  void SetState(nccl::Result state);
  void StopOperations();
  // A rank is gone without a goodbye.
  bool PeerIsLost();
  // Of the id that another rank made.
  nccl::Result FindGrowId(const Bell& stop, nccl::UniqueId* id);
  // To those that are there; whether that is all.
  bool ToAll(const Header& header, const char* payload, size_t bytes);

  const int rank_;
  const int size_;
  // Set by Join(), before the first operation.
  Meeting meeting_;
  std::vector<Member> table_;
  std::vector<Fd> peers_;  // by rank; none for this one

  Bell stop_;  // ends operations and jobs
  std::thread job_;
  std::shared_ptr<Communicator> growing_;  // the parent, until the child of this rank is made

  std::mutex mutex_;
  std::condition_variable changed_;
  nccl::Result state_ = nccl::kSuccess;
  int polls_in_progress_ = 0;  // how often GetAsyncError() still says so after a call
  bool seen_ready_ = false;    // it said ncclSuccess since the last call
  bool is_child_growing_ = false;
  bool has_grow_id_ = false;
  bool finalizing_ = false;
  bool finalized_ = false;
  bool revoked_ = false;
  int running_ = 0;  // operations on streams
  uint64_t next_place_ = 0;
};

}  // namespace lvrpo::nccl_double
