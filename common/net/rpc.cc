#include "common/net/rpc.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/files/file_kind.h"
#include "common/net/host_port.h"
#include "common/net/listen_socket.h"
#include "grpc/support/log.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr char kErrorInfoUrl[] = "type.lvrpo/ErrorInfo";

// gRPC's own messages go to the log at LVRPO_LOG_LEVEL=debug: users get one sentence from the program.
void QuietGrpc() {
  static const bool once = [] {
    gpr_set_log_function([](gpr_log_func_args* line) {
      NoteHandshake(line->message);
      spdlog::debug("grpc: {}", line->message);
    });
    return true;
  }();
  (void)once;
}

// A process with clients only polls its idle connections as often as gRPC's backup poller does, every 5 s
// unless this variable is set: it would notice a peer's return that late. gRPC reads the variable when it
// starts; it is set before main, because threads may read the environment later.
const bool kPollsOften = setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "100", /*overwrite=*/0) == 0;

int Milliseconds(absl::Duration duration) { return static_cast<int>(absl::ToInt64Milliseconds(duration)); }

// Connections are renewed this often, so that a certificate that has expired, or whose CA is trusted no more,
// does not live on in one.
constexpr absl::Duration kOldestConnection = absl::Hours(1);
constexpr absl::Duration kLastCalls = absl::Minutes(10);  // that calls on an old one may take to end

void SetLimits(const RpcServer::Options& options, int64_t largest_request, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(largest_request));
  builder.SetMaxSendMessageSize(options.max_message_mib << 20);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  if (options.max_threads > 0) {
    grpc::ResourceQuota quota;
    quota.SetMaxThreads(options.max_threads);
    builder.SetResourceQuota(quota);
  }
  // Clients may ping as often as MakeChannel() does.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10000);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(options.silence));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, Milliseconds(options.idle));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.limits.at_once);
  if (options.tls == nullptr) return;
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(kOldestConnection));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, Milliseconds(kLastCalls));
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto payload = status.GetPayload(kErrorInfoUrl);
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
                      payload.has_value() ? std::string(*payload) : "");
}

namespace {

// Whether the answer is gRPC's own, from a process that does not know the call, or from no gRPC server at
// all: ours says why it refuses one.
bool IsOfAStranger(const grpc::Status& status) {
  if (!status.error_details().empty()) return false;
  return (status.error_code() == grpc::StatusCode::UNIMPLEMENTED && status.error_message().empty()) ||
         (status.error_code() != grpc::StatusCode::UNAVAILABLE &&
          absl::StrContains(status.error_message(), "Received http2 header with status"));
}

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (IsOfAStranger(status)) {
    const std::string& said = status.error_message();
    return absl::FailedPreconditionError(
        absl::StrCat("another program answers at that address, or a process of another role",
                     said.empty() ? "" : absl::StrCat(" (", OneLine(said, 200), ")")));
  }
  // The connection was lost in the middle of a call.
  if (status.error_code() == grpc::StatusCode::UNKNOWN && status.error_message() == "Stream removed")
    return absl::UnavailableError("the peer ended the connection");
  // A server that ends, or gives up on a slow caller, cuts its calls off.
  if (status.error_code() == grpc::StatusCode::CANCELLED && status.error_details().empty())
    return absl::UnavailableError(absl::StrCat("the peer ended the call (", status.error_message(), ")"));
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  if (!status.error_details().empty()) result.SetPayload(kErrorInfoUrl, absl::Cord(status.error_details()));
  return ExplainTls(std::move(result));
}

absl::Status WithReason(absl::Status status, const v1::ErrorInfo& info) {
  status.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
  return status;
}

v1::ErrorInfo ErrorInfoOf(const absl::Status& status) {
  v1::ErrorInfo info;
  const auto payload = status.GetPayload(kErrorInfoUrl);
  if (payload.has_value()) info.ParseFromString(std::string(*payload));
  return info;
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, const ChannelOptions& options) {
  QuietGrpc();
  if (!kPollsOften) spdlog::debug("gRPC polls its idle connections every 5 s only");
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(options.max_message_mib << 20);
  arguments.SetMaxSendMessageSize(options.max_message_mib << 20);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, options.use_proxy ? 1 : 0);
  // A peer whose machine is gone answers no ping: calls to it fail instead of waiting for their deadline.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  // A peer that came back should be noticed within a second.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  std::shared_ptr<grpc::ChannelCredentials> credentials = options.credentials;
  if (credentials == nullptr && options.tls != nullptr)
    credentials = TlsChannel(options.tls, options.servers);
  if (credentials == nullptr) credentials = grpc::InsecureChannelCredentials();
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

ChannelOptions ChannelOptions::To(std::vector<PeerRole> roles) const {
  ChannelOptions options = *this;
  options.servers = std::move(roles);
  return options;
}

std::shared_ptr<grpc::Channel> ChannelCache::To(const std::string& address) {
  absl::MutexLock lock(&mutex_);
  std::shared_ptr<grpc::Channel>& channel = channels_[address];
  if (channel == nullptr) channel = MakeChannel(address, options_);
  return channel;
}

std::unique_ptr<grpc::ClientContext> MakeContext(absl::Duration deadline) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(absl::Now() + deadline));
  return context;
}

RpcServer::RpcServer(const Options& options)
    : denials_(std::make_shared<Denials>(options.denied)),
      guard_(options.tls != nullptr, options.limits, denials_) {}

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const Options& options,
                                                            const std::vector<grpc::Service*>& services) {
  QuietGrpc();
  const absl::StatusOr<HostPort> where = ParseHostPort(options.listen, AddressUse::kListen);
  if (!where.ok()) return where.status();
  if (!where->IsLoopback() && !options.insecure && options.tls == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        "refusing to serve plain text on ", options.listen,
        ", which is not a loopback address: give --tls DIR, or --insecure if the network is trusted"));
  }
  if (absl::Status free = CheckCanListen(options.listen); !free.ok()) return free;
  std::unique_ptr<RpcServer> result(new RpcServer(options));
  grpc::ServerBuilder builder;
  int64_t largest_request = 0;
  for (grpc::Service* service : services) {
    largest_request =
        std::max(largest_request, LargestRequest(*service, int64_t{options.max_message_mib} << 20));
    absl::StatusOr<std::unique_ptr<grpc::Service>> guarded = Guarded(*service, result->guard_);
    if (!guarded.ok()) return guarded.status();
    builder.RegisterService(result->guarded_.emplace_back(*std::move(guarded)).get());
  }
  int port = 0;
  builder.AddListeningPort(
      where->ToString(),
      options.tls != nullptr ? TlsServer(options.tls, result->denials_) : grpc::InsecureServerCredentials(),
      &port);
  SetLimits(options, largest_request, builder);
  if (options.answered != nullptr) {
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> meters;
    meters.push_back(RpcMeter(options.answered));
    builder.experimental().SetInterceptorCreators(std::move(meters));
  }
  result->server_ = builder.BuildAndStart();
  if (result->server_ == nullptr || port == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.listen, ": the port is in use, or may not be used"));
  }
  result->address_ = HostPort{where->host, port}.ToString();
  return result;
}

RpcServer::~RpcServer() { Shutdown(absl::ZeroDuration()); }

void RpcServer::Shutdown(absl::Duration grace) {
  if (server_ != nullptr) server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
}

}  // namespace lvrpo
