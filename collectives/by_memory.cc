#include "collectives/by_memory.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collectives/nccl_collectives.h"

namespace lvrpo {
namespace {

class MemoryCollectives final : public Collectives {
 public:
  MemoryCollectives(std::unique_ptr<Collectives> host, std::unique_ptr<Collectives> device)
      : host_(std::move(host)),
        device_(std::move(device)),
        name_(absl::StrCat(device_->name(), " with ", host_->name())) {}

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }
  absl::string_view name() const override { return name_; }
  std::unique_ptr<Pending> AllGather(ConstSpan in, Span out) override {
    return Watched(Of(in.memory).AllGather(in, out));
  }
  std::unique_ptr<Pending> ReduceScatter(ConstSpan in, Span out) override {
    return Watched(Of(in.memory).ReduceScatter(in, out));
  }
  std::unique_ptr<Pending> AllReduce(Span data, Reduction reduction) override {
    return Watched(Of(data.memory).AllReduce(data, reduction));
  }
  std::unique_ptr<Pending> Broadcast(Span data, int root) override {
    return Watched(Of(data.memory).Broadcast(data, root));
  }
  absl::Status Barrier() override { return Noted(host_->Barrier()); }
  void Abort(const std::string& why) override {
    device_->Abort(why);
    host_->Abort(why);
  }

 private:
  class WatchedOperation final : public Pending {
   public:
    WatchedOperation(MemoryCollectives* both, std::unique_ptr<Pending> pending)
        : both_(both), pending_(std::move(pending)) {}
    absl::Status Wait() override { return both_->Noted(pending_->Wait()); }

   private:
    MemoryCollectives* const both_;
    const std::unique_ptr<Pending> pending_;
  };

  Collectives& Of(Memory memory) const { return memory == Memory::kDevice ? *device_ : *host_; }
  std::unique_ptr<Pending> Watched(std::unique_ptr<Pending> pending) {
    return std::make_unique<WatchedOperation>(this, std::move(pending));
  }
  absl::Status Noted(absl::Status status) {
    if (!status.ok() && !absl::IsInvalidArgument(status)) Abort(std::string(status.message()));
    return status;
  }

  const std::unique_ptr<Collectives> host_, device_;
  const std::string name_;
};

}  // namespace

std::unique_ptr<Collectives> ByMemory(std::unique_ptr<Collectives> host,
                                      std::unique_ptr<Collectives> device) {
  return std::make_unique<MemoryCollectives>(std::move(host), std::move(device));
}

absl::StatusOr<std::unique_ptr<Collectives>> WithNccl(std::unique_ptr<Collectives> host,
                                                      const absl::StatusOr<NcclPlace>& own) {
  absl::Status mine = own.status();
  nccl::UniqueId id = {};
  if (mine.ok() && host->rank() == 0) {
    const absl::StatusOr<nccl::UniqueId> made = NcclCommunicator::NewId(*own->library);
    mine = made.status();
    if (made.ok()) id = *made;
  }
  // A rank that began without the others would wait for them for minutes.
  int64_t ready = mine.ok() ? 1 : 0;
  const absl::Status agreed = host->AllReduce({&ready, 1, Element::kInt64}, Reduction::kMin)->Wait();
  if (!mine.ok()) return mine;
  if (!agreed.ok()) return agreed;
  if (ready == 0)
    return absl::UnavailableError("another rank of the learner has no NCCL or no GPU: its log says why");
  if (absl::Status told = host->Broadcast({&id, sizeof(id), Element::kByte}, 0)->Wait(); !told.ok())
    return told;
  absl::StatusOr<std::unique_ptr<NcclCommunicator>> communicator =
      NcclCommunicator::Make(*own, id, host->rank(), host->size());
  if (!communicator.ok()) return communicator.status();
  absl::StatusOr<std::unique_ptr<NcclCollectives>> device = NcclCollectives::Over(*std::move(communicator));
  if (!device.ok()) return device.status();
  return ByMemory(std::move(host), *std::move(device));
}

}  // namespace lvrpo
