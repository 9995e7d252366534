#include "weight_plane/gang/gang_gear.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collectives/cuda_device.h"
#include "common/config/device_name.h"

namespace lvrpo {

NcclPlace GangGear::Place(const v1::RpcConfig& rpc) const {
  const absl::Duration timeout = absl::Seconds(rpc.timeout_seconds());
  return {.library = &library,
          .device = device.get(),
          .limits = {.operation = timeout, .making = timeout * 3, .stopping = timeout}};
}

absl::StatusOr<std::unique_ptr<GangGear>> OpenGangGear(const std::string& compute_device) {
  const absl::StatusOr<DeviceName> name = ParseDeviceName(WeightsDevice(compute_device));
  if (!name.ok()) return name.status();
  if (name->kind == DeviceName::Kind::kCpu) return absl::NotFoundError("this process has no GPU");
  const int index = std::max(name->index, 0);
  absl::StatusOr<NcclLibrary> library = LoadNccl();
  if (!library.ok()) return library.status();
  absl::StatusOr<std::unique_ptr<DeviceApi>> device = OpenCudaDevice(index);
  if (!device.ok()) return device.status();
  auto gear = std::make_unique<GangGear>();
  gear->library = *std::move(library);
  gear->device = *std::move(device);
  gear->self.set_host(HostName());
  gear->self.set_device(absl::StrCat("GPU ", index));
  gear->self.set_place(gear->device->Place());
  gear->self.set_nccl_version(gear->library.version);
  return gear;
}

std::string HostName() {
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  return host;
}

absl::Duration LongestBroadcast(const v1::RpcConfig& rpc) { return absl::Seconds(rpc.timeout_seconds() * 3); }

absl::Duration GatherPatience(const v1::RunConfig& config) {
  return absl::Seconds(config.weights().gather_seconds()) + LongestBroadcast(config.rpc()) * 2;
}

}  // namespace lvrpo
