#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/net/denials.h"
#include "common/net/peer_limits.h"
#include "common/tls/identity.h"

namespace lvrpo {

// The one place where a server decides whether a call may be served: rights by role (common/net/rights.h),
// the size of its request, and what its peer uses already. Thread-safe.
class RpcGuard {
 public:
  // Who calls, as the connection says.
  struct Caller {
    std::string host;                      // without a port
    std::optional<PeerIdentity> identity;  // from the certificate; nullopt: plain text
  };

  // `by_role`: the server uses TLS, and callers must have the method's right.
  RpcGuard(bool by_role, const PeerLimits::Options& limits, std::shared_ptr<Denials> denials)
      : by_role_(by_role), limits_(limits), denials_(std::move(denials)) {}

  // The call's place among its peer's calls; PermissionDenied or ResourceExhausted, noted, where it may not
  // be served. `method` as in rights.h.
  absl::StatusOr<std::unique_ptr<PeerLimits::Call>> Admit(const std::string& method, const Caller& caller,
                                                          int64_t bytes);

 private:
  const bool by_role_;
  PeerLimits limits_;
  const std::shared_ptr<Denials> denials_;
};

// A service whose calls `guard` admits first: a call that it refuses is neither parsed nor run. Both must
// outlive it. InternalError for a service that is not synchronous.
absl::StatusOr<std::unique_ptr<grpc::Service>> Guarded(grpc::Service& service, RpcGuard& guard);

// The largest request that one of the service's methods takes, in bytes; `most`: what a method takes whose
// right has no bound of its own. What is larger is refused before it is in memory.
int64_t LargestRequest(grpc::Service& service, int64_t most);

// The role in the caller's certificate; nullopt without TLS, or for a context of tests (null).
std::optional<PeerRole> CallerRole(const grpc::ServerContext* context);

// "10.0.0.7" of gRPC's "ipv4:10.0.0.7:53124".
std::string PeerHost(const std::string& peer);

}  // namespace lvrpo
