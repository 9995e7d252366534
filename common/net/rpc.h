#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/net/denials.h"
#include "common/net/open_connections.h"
#include "common/net/peer_limits.h"
#include "common/net/rpc_acceptor.h"
#include "common/net/rpc_guard.h"
#include "common/net/rpc_meter.h"
#include "common/net/rpc_tls.h"
#include "proto/lvrpo/v1/common.pb.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// Status codes are the same on both sides, but that a call which the peer cut off (CANCELLED) is Unavailable:
// it may be repeated. A machine-readable reason is sent in the details (v1::ErrorInfo).
// What TLS prevented is a sentence (TlsTroubleOf in common/net/rpc_tls.h).
grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

// Attaches a reason to an absl::Status, and reads it back ("" when there is none).
absl::Status WithReason(absl::Status status, const v1::ErrorInfo& info);
v1::ErrorInfo ErrorInfoOf(const absl::Status& status);

// Options of a process's client channels.
struct ChannelOptions {
  ChannelOptions(int max_message_mib) : max_message_mib(max_message_mib) {}  // NOLINT: a limit is enough
  ChannelOptions(const v1::RpcConfig& config)                                // NOLINT: the run's settings
      : max_message_mib(config.max_message_mib()), use_proxy(config.use_proxy()) {}

  int max_message_mib;
  // Whether to use the proxies that the environment names (http_proxy, grpc_proxy, ...).
  bool use_proxy = false;
  // Null: plain text. Otherwise TLS, and never anything else, with servers of these roles (empty: any).
  std::shared_ptr<TlsContext> tls = ProcessTls();
  std::vector<PeerRole> servers = {};
  // Takes the place of `tls`, for servers that are not of this project.
  std::shared_ptr<grpc::ChannelCredentials> credentials = nullptr;

  // The same, to servers of these roles.
  ChannelOptions To(std::vector<PeerRole> roles) const;
};

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, const ChannelOptions& options);
std::unique_ptr<grpc::ClientContext> MakeContext(absl::Duration deadline);

// One channel per address. Thread-safe.
class ChannelCache {
 public:
  explicit ChannelCache(const ChannelOptions& options) : options_(options) {}
  std::shared_ptr<grpc::Channel> To(const std::string& address);

 private:
  const ChannelOptions options_;
  absl::Mutex mutex_;
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_ ABSL_GUARDED_BY(mutex_);
};

// A running gRPC server with message limits. Destroying it shuts down at once.
class RpcServer {
 public:
  struct Options {
    std::string listen = "127.0.0.1:0";  // port 0 picks one
    int max_message_mib = 64;
    bool insecure = false;  // allow plain text on addresses other than loopback
    // Closes connections that send nothing for `silence` after connecting, or make no call for `idle`:
    // unknown clients could use up the process's descriptors. This project's clients reconnect by themselves.
    absl::Duration silence = absl::Seconds(5), idle = absl::Minutes(2);
    // More are closed at once, whoever they are of.
    OpenConnections::Limits connections = OpenConnections::OwnLimits();
    int max_threads = 0;  // calls beyond are refused with ResourceExhausted; 0: no limit
    // Null: plain text. Otherwise TLS, with clients that the context accepts, each by its role's rights.
    std::shared_ptr<TlsContext> tls = ProcessTls();
    PeerLimits::Options limits = {};
    Denials::Count denied = nullptr;  // counts what is refused
    RpcCount answered = nullptr;      // counts all calls
  };
  // InvalidArgument for what is no address, FailedPrecondition for a non-loopback one without `insecure`,
  // Unavailable when the port is in use.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const Options& options,
                                                          const std::vector<grpc::Service*>& services);
  ~RpcServer();

  const std::string& address() const { return address_; }  // host:port
  // Lets running calls finish for at most `grace`.
  void Shutdown(absl::Duration grace);

 private:
  explicit RpcServer(const Options& options);
  const std::shared_ptr<Denials> denials_;
  RpcGuard guard_;
  std::vector<std::unique_ptr<grpc::Service>> guarded_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<RpcAcceptor> acceptor_;  // ends before the server
  std::string address_;
};

}  // namespace lvrpo
