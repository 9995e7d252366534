#pragma once

#include <functional>

#include "absl/status/status.h"

namespace lvrpo {

// The current exception as a status; for a catch block or a terminate handler. ResourceExhausted when out of
// memory (recognised by its text for LibTorch's CPU allocator), Internal otherwise, with the first line of
// the message: LibTorch appends its stack trace.
absl::Status ThrownStatus();

// Runs `work`; returns an exception as a status.
absl::Status TryToRun(const std::function<void()>& work);

}  // namespace lvrpo
