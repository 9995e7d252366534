#pragma once

#include <memory>
#include <string>

#include "reward_server/remote/external_link.h"

namespace lvrpo {

// Connects to the gRPC service of proto/lvrpo/v1/external_scorer.proto at host:port, without TLS. Calls carry
// the deadline, so that a server can cancel work that nobody waits for.
std::unique_ptr<ExternalLink> MakeGrpcLink(const std::string& address, const LinkOptions& options);

}  // namespace lvrpo
