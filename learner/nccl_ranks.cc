#include "learner/nccl_ranks.h"

#include <memory>
#include <utility>

#include "collectives/by_memory.h"
#include "collectives/cuda_device.h"
#include "collectives/nccl_library.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

// What communicators work with, from the first of them on.
struct LoadedNccl {
  NcclLibrary library;
  std::unique_ptr<DeviceApi> device;

  absl::StatusOr<NcclPlace> Place(int gpu, const NcclLimits& limits) {
    if (device == nullptr) {
      absl::StatusOr<NcclLibrary> loaded = LoadNccl();
      if (!loaded.ok()) return loaded.status();
      library = *std::move(loaded);
      absl::StatusOr<std::unique_ptr<DeviceApi>> opened = OpenCudaDevice(gpu);
      if (!opened.ok()) return opened.status();
      device = *std::move(opened);
      spdlog::info("NCCL {}", InWords(library));
    }
    return NcclPlace{.library = &library, .device = device.get(), .limits = limits};
  }
};

}  // namespace

RankTransport NcclRanks(RankTransport host, const v1::LearnerConfig& config, int gpu) {
  const auto nccl = std::make_shared<LoadedNccl>();
  RankTransport transport;
  transport.open = host.open;
  transport.connect = [host = std::move(host), &config, gpu, nccl](
                          const v1::LearnerEpoch& epoch,
                          int rank) -> absl::StatusOr<std::unique_ptr<Collectives>> {
    absl::StatusOr<std::unique_ptr<Collectives>> connected = host.connect(epoch, rank);
    if (!connected.ok()) return connected;
    const absl::Duration deadline = absl::Seconds(config.collective_timeout_seconds());
    return WithNccl(*std::move(connected), nccl->Place(gpu, {.operation = deadline, .making = deadline}));
  };
  return transport;
}

}  // namespace lvrpo
