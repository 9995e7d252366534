#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "collectives/device_api.h"
#include "collectives/nccl_collectives.h"
#include "collectives/nccl_communicator.h"
#include "common/clock.h"
#include "proto/lvrpo/v1/weight_gang.pb.h"

namespace lvrpo {

// A clock that can be moved beyond all deadlines, so that whoever waits by it stops waiting. Thread-safe.
class EndableClock final : public Clock {
 public:
  explicit EndableClock(Clock& clock) : clock_(clock) {}
  absl::Time Now() override { return clock_.Now() + (ended_ ? absl::Hours(24 * 365) : absl::ZeroDuration()); }
  void End() { ended_ = true; }
  bool ended() const { return ended_; }

 private:
  Clock& clock_;
  std::atomic<bool> ended_ = false;
};

// Bytes of a chunk that a plan may name, and of the preflight.
inline constexpr int64_t kMostChunkBytes = int64_t{64} << 20;
inline constexpr int64_t kMostMeasuredBytes = int64_t{1} << 30;
// Ranks of a gang.
inline constexpr int kMostGangRanks = 4096;

// Broadcasts that fail one after the other, until a rank takes part in none any more.
inline constexpr int kMostGangFailures = 3;

// Byte i of what the preflight broadcasts.
inline char MeasuredByte(int64_t i) { return static_cast<char>(i % 251); }

// InvalidArgument unless a member can do as `plan` says, of which nothing is trusted. Pure.
absl::Status CheckPlan(const v1::GangPlan& plan);

// One rank's end of the gang: its communicator, and two buffers for chunks on the device and two on the host.
// Everything that waits does so within the place's limits; an error breaks the communicator for all ranks.
// One thread.
class GangEnd {
 public:
  // What `place` names must outlive it.
  explicit GangEnd(const NcclPlace& place) : place_(place) {}
  // Ends at once, whatever the other ranks do.
  ~GangEnd();

  // The communicator that it holds, by the name that the plan gave; 0: none.
  int64_t gang() const { return collectives_ == nullptr ? 0 : gang_; }
  bool broken() const { return !error_.ok(); }

  // Makes the communicator of a plan that CheckPlan() has passed. Its errors are NcclCommunicator's.
  absl::Status Rebuild(const v1::GangPlan& plan);
  // The id for the newcomers of the communicator that it holds.
  absl::StatusOr<nccl::UniqueId> NewcomersId();

  // Sends `buckets` from rank 0, this one, in chunks. They must stay until Idle().
  absl::Status Send(const std::vector<absl::string_view>& buckets, absl::Time deadline);
  // Receives: Expect() says which buckets come, and by when; each Next() gives the next bytes, as many as a
  // chunk has, in `into`, which has room for the rest of the bucket.
  absl::Status Expect(const std::vector<int64_t>& bucket_bytes, absl::Time deadline);
  absl::StatusOr<size_t> Next(std::span<char> into);
  // Whether all that was expected has come.
  bool complete() const { return next_ == chunks_.size(); }
  // Returns when all ranks have called it.
  absl::Status Barrier();
  // Breaks the communicator, unless it is broken.
  void Break(const absl::Status& why);
  // Whether no copy is under way any more; waits for that within the limits. If not, the host's memory that
  // it reads must stay for ever.
  bool Idle();

 private:
  struct Buffer {
    void* device = nullptr;
    std::unique_ptr<char[]> host;
    std::unique_ptr<Pending> pending;
  };
  absl::StatusOr<std::unique_ptr<NcclCommunicator>> Make(const v1::GangPlan& plan);
  absl::Status Prepare(int64_t chunk_bytes);
  void FreeBuffers();
  // Broadcasts the device's side of the buffer.
  void Post(Buffer& buffer, int64_t bytes);
  // Waits for that, if anything is under way.
  absl::Status Await(Buffer& buffer);
  absl::Status AwaitCopies(absl::Duration limit);
  absl::Status CheckUsable() const;
  absl::Status TooLong() const;
  // Notes the error, and breaks the communicator with it.
  absl::Status Fail(const absl::Status& error);

  const NcclPlace place_;
  DeviceStream copies_;  // on the device's side
  int64_t chunk_bytes_ = 0;
  std::array<Buffer, 2> buffers_;
  int64_t gang_ = 0;
  std::unique_ptr<NcclCollectives> collectives_;
  absl::Status error_;
  absl::Time deadline_;
  std::vector<int64_t> chunks_;  // bytes of each
  size_t next_ = 0;              // chunk that Next() gives
};

// Bytes of each chunk of these buckets. Pure.
std::vector<int64_t> ChunksOf(const std::vector<int64_t>& bucket_bytes, int64_t chunk_bytes);

}  // namespace lvrpo
