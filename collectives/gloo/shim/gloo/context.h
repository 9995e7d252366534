#pragma once

#include <chrono>

namespace gloo {

// Made, kept and used by the wheel only.
class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

}  // namespace gloo
