#pragma once

#include <memory>
#include <string>

#include "reward_server/remote/external_link.h"

namespace lvrpo {

// To the gRPC service of proto/lvrpo/v1/external_scorer.proto at host:port, in plain text. Calls carry the
// deadline, so that a server can give up what nobody waits for.
std::unique_ptr<ExternalLink> MakeGrpcLink(const std::string& address, const LinkOptions& options);

}  // namespace lvrpo
