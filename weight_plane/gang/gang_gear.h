#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "collectives/device_api.h"
#include "collectives/nccl_library.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/weight_gang.pb.h"
#include "weight_plane/gang/gang_end.h"

namespace lvrpo {

// What a process needs for a place in the gang: NCCL and a GPU, which are loaded at run time.
struct GangGear {
  NcclLibrary library;
  std::unique_ptr<DeviceApi> device;
  v1::GangMember self;

  // Limits: an operation takes rpc.timeout_seconds at most, a communicator is made in three times that.
  NcclPlace Place(const v1::RpcConfig& rpc) const;
};

// On the GPU that carries weights where `compute_device` (rollout.device, learner.device) computes
// (WeightsDevice): the first one where that names none. Errors of ParseDeviceName, LoadNccl and
// OpenCudaDevice; NotFound where it is a CPU.
absl::StatusOr<std::unique_ptr<GangGear>> OpenGangGear(const std::string& compute_device);

// Name of this machine, as members say it.
std::string HostName();

// How long a broadcast may take, and how long a worker waits for one to begin, which another may precede.
absl::Duration LongestBroadcast(const v1::RpcConfig& rpc);
absl::Duration GatherPatience(const v1::RunConfig& config);

}  // namespace lvrpo
