#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lvrpo {

// The device's own handles. A null stream is the device's default stream.
struct DeviceStream {
  void* handle = nullptr;
};
struct DeviceEvent {
  void* handle = nullptr;
};

// The little of a GPU's runtime that collectives and the weight plane need: memory, queues of work (streams)
// and marks in them (events). One device. CUDA in cuda_device.h; tests have one on the host. Thread-safe.
// Every error is Internal and says which call failed and why.
class DeviceApi {
 public:
  virtual ~DeviceApi() = default;

  // Its address on this machine (a GPU's on the PCI bus), the same for all processes; empty: not known.
  virtual std::string Place() = 0;
  // Whether it accesses the memory of this machine's device at `place` directly; nullopt: not known.
  virtual std::optional<bool> Reaches(const std::string& place) = 0;

  // Makes it the device of the calling thread: what libraries ask the runtime for.
  virtual absl::Status MakeCurrent() = 0;

  virtual absl::StatusOr<void*> Allocate(int64_t bytes) = 0;
  // May wait for the device.
  virtual absl::Status Free(void* memory) = 0;
  // Queues a copy; either side may be the host's memory. Both must stay until the stream has come to it.
  virtual absl::Status CopyAsync(void* to, const void* from, int64_t bytes, DeviceStream stream) = 0;

  // A stream that waits for no other.
  virtual absl::StatusOr<DeviceStream> CreateStream() = 0;
  // What is queued still runs.
  virtual absl::Status DestroyStream(DeviceStream stream) = 0;

  // A mark after all that is queued on `stream` now. To be given back by Release().
  virtual absl::StatusOr<DeviceEvent> Record(DeviceStream stream) = 0;
  // Whether the stream has come to the mark. Does not block. An error if the device has failed.
  virtual absl::StatusOr<bool> IsDone(DeviceEvent event) = 0;
  // What is queued on `stream` from now on runs after `event`. Does not block.
  virtual absl::Status WaitFor(DeviceStream stream, DeviceEvent event) = 0;
  // At any time, whether or not the stream has come to it.
  virtual void Release(DeviceEvent event) = 0;
};

}  // namespace lvrpo
