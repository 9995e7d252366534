#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// The address of the holder of the view's current version to fetch it from: the least loaded, and of equals
// the first. Unavailable when there is none. Pure.
absl::StatusOr<std::string> PickHolder(const v1::PoolView& view);

}  // namespace lvrpo
