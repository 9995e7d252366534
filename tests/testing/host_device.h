#pragma once

#include <atomic>
#include <cstdint>

#include "collectives/device_api.h"

namespace lvrpo {

// A DeviceApi whose memory is the host's and whose streams are threads that do one thing after the other.
// Thread-safe.
class HostDevice : public DeviceApi {
 public:
  std::string Place() override { return "host"; }
  std::optional<bool> Reaches(const std::string& place) override { return place == "host"; }
  absl::Status MakeCurrent() override;
  absl::StatusOr<void*> Allocate(int64_t bytes) override;
  absl::Status Free(void* memory) override;
  absl::Status CopyAsync(void* to, const void* from, int64_t bytes, DeviceStream stream) override;
  absl::StatusOr<DeviceStream> CreateStream() override;
  absl::Status DestroyStream(DeviceStream stream) override;
  absl::StatusOr<DeviceEvent> Record(DeviceStream stream) override;
  absl::StatusOr<bool> IsDone(DeviceEvent event) override;
  absl::Status WaitFor(DeviceStream stream, DeviceEvent event) override;
  void Release(DeviceEvent event) override;

  // What was made and not given back: memory, streams and events.
  int64_t held() const { return held_; }
  // From now on every call fails, as after a GPU's error.
  void Break() { broken_ = true; }

 private:
  absl::Status Check() const;

  std::atomic<int64_t> held_ = 0;
  std::atomic<bool> broken_ = false;
};

}  // namespace lvrpo
