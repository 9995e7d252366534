#pragma once

#include <functional>

#include "absl/status/status.h"

namespace lvrpo {

// What is being thrown, as an error; for a catch block or a terminate handler. ResourceExhausted when memory
// could not be had (LibTorch's CPU allocator says so in words only), Internal otherwise, with the first line
// of what was said: LibTorch adds its whole stack.
absl::Status ThrownStatus();

// Runs `work`; what it throws as an error.
absl::Status TryToRun(const std::function<void()>& work);

}  // namespace lvrpo
