#pragma once

#include <optional>

#include "absl/status/status.h"
#include "common/tls/identity.h"
#include "proto/lvrpo/v1/common.pb.h"

namespace lvrpo {

// Whether a caller with this role in its certificate may be a member of `role`: PermissionDenied where they
// are not the same. nullopt: no TLS, anyone may.
absl::Status CheckActsAs(std::optional<PeerRole> caller, v1::Role role);

}  // namespace lvrpo
