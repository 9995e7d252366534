#pragma once

#include <functional>

namespace lvrpo {

// What a stream's handle points to on HostDevice: an in-order queue with a thread. The NCCL double, which is
// loaded as a library, queues its work through this.
class HostStream {
 public:
  virtual ~HostStream() = default;
  // Runs `work` after all that was queued before. Does not block. Thread-safe.
  virtual void Queue(std::function<void()> work) = 0;
};

}  // namespace lvrpo
