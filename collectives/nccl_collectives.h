#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "collectives/collectives.h"
#include "collectives/device_api.h"
#include "collectives/nccl_communicator.h"
#include "collectives/operation.h"

namespace lvrpo {

// Collectives over NCCL, on a dedicated stream. Buffers are in the device's memory. An operation begins
// after what was queued on the stream `producer` when it was called. Sums are in NCCL's order, the same on
// all ranks. A call may wait for the one before it, until all ranks have made that, when the library first
// connects them.
class NcclCollectives : public Collectives {
 public:
  static absl::StatusOr<std::unique_ptr<NcclCollectives>> Over(std::unique_ptr<NcclCommunicator> communicator,
                                                               DeviceStream producer = {});
  ~NcclCollectives() override;

  int rank() const override { return communicator_->rank(); }
  int size() const override { return communicator_->size(); }
  absl::string_view name() const override { return "nccl"; }

  std::unique_ptr<Pending> AllGather(ConstSpan in, Span out) override;
  std::unique_ptr<Pending> ReduceScatter(ConstSpan in, Span out) override;
  std::unique_ptr<Pending> AllReduce(Span data, Reduction reduction) override;
  std::unique_ptr<Pending> Broadcast(Span data, int root) override;
  absl::Status Barrier() override;
  void Abort(const std::string& why) override;

  // NcclCommunicator::NewcomersId(), of its communicator.
  absl::StatusOr<nccl::UniqueId> NewcomersId() { return communicator_->NewcomersId(); }

  // Ends it and gives its communicator, broken or not, to be made into another (NcclCommunicator::Shrink,
  // Grow). No operation may be pending.
  static std::unique_ptr<NcclCommunicator> TakeCommunicator(std::unique_ptr<NcclCollectives> collectives);

 private:
  class QueuedOperation;

  // One operation that the library has been given, until it is done.
  struct Queued {
    Operation operation;
    int64_t place = 0;
    absl::Time called_at;
    std::optional<DeviceEvent> end = {};      // once the library has queued its work
    std::optional<absl::Status> result = {};  // once it is over
  };

  NcclCollectives(std::unique_ptr<NcclCommunicator> communicator, DeviceStream producer)
      : place_(communicator->place()), communicator_(std::move(communicator)), producer_(producer) {}

  DeviceApi& device() const { return *place_.device; }

  std::unique_ptr<Pending> Post(const absl::StatusOr<Call>& call);
  absl::Status Queue(const Call& call);
  // Looks once at the library, the device and the clock, and notes what has ended.
  void Look();
  absl::Status TryLook();
  void WaitUntil(const std::function<bool()>& is_so);
  // Breaks the communicator, and ends all operations with its error.
  void Fail(const absl::Status& error);
  // Waits until the device has done all that was queued, at most limits.stopping.
  bool DeviceIsIdle();

  const NcclPlace place_;
  std::unique_ptr<NcclCommunicator> communicator_;
  const DeviceStream producer_;
  DeviceStream stream_;
  void* barrier_ = nullptr;  // one int64 on the device
  int64_t next_place_ = 0;
  absl::Time last_done_at_ = absl::InfinitePast();
  std::deque<std::shared_ptr<Queued>> queued_;  // those that are not over, in order
};

}  // namespace lvrpo
