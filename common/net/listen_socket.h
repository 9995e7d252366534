#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/net/host_port.h"

namespace lvrpo {

// A TCP socket that is bound to `where`, over IPv4 or IPv6, and does not listen yet; the caller closes it. An
// address of all IPv6 interfaces takes IPv4 too. `where.port` becomes the port that was picked for 0.
// FailedPrecondition when the address is not one of this machine or its name is not known, PermissionDenied
// when the port may not be used, Unavailable when it is in use.
absl::StatusOr<int> BindSocket(HostPort& where);

// Whether a server can listen at `address` (host:port) now: before it does anything that cannot be undone.
// InvalidArgument when it is no address, else as BindSocket.
absl::Status CheckCanListen(const std::string& address);

}  // namespace lvrpo
