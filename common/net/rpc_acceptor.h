#pragma once

#include <grpcpp/server_builder.h>

#include <memory>
#include <thread>

#include "common/net/denials.h"
#include "common/net/host_port.h"
#include "common/net/open_connections.h"

namespace lvrpo {

// Accepts the connections of a gRPC server, as many as their limits allow, and hands them to it. gRPC 1.51
// has no such limit itself, and listens no more once the process had no descriptor for a connection.
class RpcAcceptor {
 public:
  using Server = grpc::experimental::ExternalConnectionAcceptor;

  // Listens at `where`, whose port 0 becomes the one that was picked; 0.0.0.0 is also ::, where there is
  // IPv6. Errors as BindSocket. Connections wait until Start().
  static absl::StatusOr<std::unique_ptr<RpcAcceptor>> Listen(HostPort& where, OpenConnections::Limits limits,
                                                             std::shared_ptr<Denials> denials);
  ~RpcAcceptor();

  // Hands connections to `server`, which is of a server that has started, on a thread of its own.
  void Start(std::unique_ptr<Server> server);

 private:
  RpcAcceptor(int fd, OpenConnections::Limits limits, std::shared_ptr<Denials> denials);
  void Run();
  // false: none is waiting, or none can be had now.
  bool AcceptOne();

  const int fd_;
  int stop_pipe_[2];
  OpenConnections connections_;  // the thread's
  const std::shared_ptr<Denials> denials_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

}  // namespace lvrpo
