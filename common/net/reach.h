#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/net/host_port.h"

namespace lvrpo {

// Resolves a name and opens a TCP connection, which is closed at once: OK when somebody listens there.
// NotFound: the name is not known; Unavailable: refused, unreachable, or nothing within `patience` (resolving
// not included).
absl::Status Reach(const HostPort& where, absl::Duration patience);

}  // namespace lvrpo
