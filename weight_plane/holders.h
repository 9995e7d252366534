#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// The holder of the view's current version to fetch it from, none of `avoided` (addresses): of two that
// `draw`, any number, chooses, the one with fewer open streams. So a thousand members that see the same view
// spread over all holders. Unavailable when there is none. Pure.
absl::StatusOr<v1::Member> PickHolder(const v1::PoolView& view, const std::set<std::string>& avoided,
                                      uint64_t draw);

}  // namespace lvrpo
