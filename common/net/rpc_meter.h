#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"

namespace lvrpo {

// Called when a server has answered a call, from any thread. `method`: "Coordinator/Drain", or "other" for
// one that it does not have; `code`: "OK", "NOT_FOUND", ...
using RpcCount =
    std::function<void(const std::string& method, const std::string& code, absl::Duration lasted)>;

// For a server's builder: tells `count` of every call.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> RpcMeter(RpcCount count);

}  // namespace lvrpo
