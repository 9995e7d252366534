#pragma once

#include <functional>

#include "absl/status/status.h"

namespace lvrpo {

// Runs `work` and turns what LibTorch or the standard library throws into a status: ResourceExhausted when
// memory could not be had, Internal otherwise, with the first line of what was said.
absl::Status TryTorch(const std::function<void()>& work);

}  // namespace lvrpo
