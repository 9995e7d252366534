#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/net/host_port.h"

namespace lvrpo {

// Binds a TCP socket to `where`, over IPv4 or IPv6, without listening yet; the caller closes it. The
// all-interfaces IPv6 address accepts IPv4 too. A `where.port` of 0 becomes the port that was picked.
// FailedPrecondition when the address is not one of this machine or its name is not known, PermissionDenied
// when the port is privileged, Unavailable when it is in use.
absl::StatusOr<int> BindSocket(HostPort& where);

// Whether a server can listen at `address` (host:port) now; checked before anything irreversible.
// InvalidArgument when it is not an address, else as BindSocket.
absl::Status CheckCanListen(const std::string& address);

}  // namespace lvrpo
