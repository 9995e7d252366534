#pragma once

#include <memory>

namespace gloo::transport {

// Made, kept and used by the wheel only.
class Device;
class UnboundBuffer {
 public:
  virtual ~UnboundBuffer() = default;
};

}  // namespace gloo::transport
