#pragma once

#include "proto/lvrpo/v1/coordinator.pb.h"

// How a process introduces itself to others of its run.
namespace lvrpo {

// What this program is (common/version.h).
v1::Build OwnBuild();

// State of a member that was told to leave: it takes nothing new.
inline constexpr char kLeaving[] = "leaving";

}  // namespace lvrpo
