#include "common/net/rpc.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/net/host_port.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/lvrpo/v1/reward.grpc.pb.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(Rpc, StatusAndReasonSurviveTheWire) {
  v1::ErrorInfo info;
  info.set_reason(v1::REFUSAL_STALE_EPOCH);
  info.set_retry_after_seconds(4);
  const absl::Status status = WithReason(absl::FailedPreconditionError("old"), info);
  const absl::Status back = FromGrpcStatus(ToGrpcStatus(status));
  EXPECT_TRUE(absl::IsFailedPrecondition(back));
  EXPECT_EQ(back.message(), "old");
  EXPECT_EQ(ErrorInfoOf(back).reason(), v1::REFUSAL_STALE_EPOCH);
  EXPECT_EQ(ErrorInfoOf(back).retry_after_seconds(), 4);
  EXPECT_EQ(ErrorInfoOf(absl::InternalError("x")).reason(), v1::REFUSAL_UNSPECIFIED);
  EXPECT_TRUE(FromGrpcStatus(ToGrpcStatus(absl::OkStatus())).ok());
}

// A call to the address of another process, or of no gRPC server.
TEST(Rpc, AStrangersAnswerIsASentence) {
  using grpc::StatusCode;
  const std::pair<grpc::Status, absl::StatusCode> cases[] = {
      {{StatusCode::UNIMPLEMENTED, ""}, absl::StatusCode::kFailedPrecondition},
      {{StatusCode::UNIMPLEMENTED, "Received http2 header with status: 404"},
       absl::StatusCode::kFailedPrecondition},
      {{StatusCode::UNAUTHENTICATED, "Received http2 header with status: 401"},
       absl::StatusCode::kFailedPrecondition},
      {{StatusCode::UNKNOWN, "Received http2 header with status: 200"},
       absl::StatusCode::kFailedPrecondition},
      {{StatusCode::UNAVAILABLE, "Received http2 header with status: 502"}, absl::StatusCode::kUnavailable},
      {{StatusCode::UNKNOWN, "Stream removed"}, absl::StatusCode::kUnavailable},
      {{StatusCode::UNIMPLEMENTED, "ours"}, absl::StatusCode::kUnimplemented}};
  for (const auto& [answer, code] : cases) {
    const absl::Status status = FromGrpcStatus(answer);
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_FALSE(status.message().empty());
  }
  EXPECT_THAT(std::string(FromGrpcStatus(cases[0].first).message()), HasSubstr("another program answers"));
  EXPECT_THAT(std::string(FromGrpcStatus(cases[1].first).message()), HasSubstr("404"));
}

TEST(Rpc, RefusesPlainTextToTheWorldAndTakenPorts) {
  EXPECT_TRUE(absl::IsFailedPrecondition(RpcServer::Start({.listen = "0.0.0.0:0"}, {}).status()));
  for (const char* listen : {"", "7070", ":7070", "::1:7070", "127.0.0.1:70000", "[::1", "unix:/tmp/socket"})
    EXPECT_TRUE(absl::IsInvalidArgument(RpcServer::Start({.listen = listen}, {}).status())) << listen;
  EXPECT_TRUE(
      absl::IsFailedPrecondition(RpcServer::Start({.listen = "192.0.2.1:0", .insecure = true}, {}).status()));
  v1::Reward::Service service;  // answers UNIMPLEMENTED to everything
  const auto server = RpcServer::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto second = RpcServer::Start({.listen = (*server)->address()}, {&service});
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr((*server)->address()));
}

// Answers nothing, until its calls are cut off.
class Mute final : public v1::Reward::Service {
 public:
  grpc::Status Score(grpc::ServerContext* context, const v1::ScoreRequest*, v1::ScoreResponse*) override {
    called_.Notify();
    while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
    return grpc::Status::OK;
  }
  absl::Notification called_;
};

// As of one that was told to leave: the call may be repeated when it is back.
TEST(Rpc, ACallThatAnEndingServerCutsOffIsUnavailable) {
  Mute service;
  const auto server = RpcServer::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  absl::Status status;
  std::thread caller([&] {
    v1::ScoreResponse response;
    status = FromGrpcStatus(v1::Reward::NewStub(MakeChannel((*server)->address(), 64))
                                ->Score(MakeContext(absl::Seconds(20)).get(), v1::ScoreRequest(), &response));
  });
  service.called_.WaitForNotification();
  (*server)->Shutdown(absl::ZeroDuration());
  caller.join();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

// How often a process with clients only polls idle connections: gRPC reads it from its environment.
TEST(Rpc, LooksAtIdleConnectionsOften) {
  ASSERT_NE(getenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS"), nullptr);
  EXPECT_LE(atoi(getenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS")), 500);
}

TEST(Rpc, ClosesConnectionsThatSayNothing) {
  v1::Reward::Service service;
  const auto server = RpcServer::Start({.silence = absl::Milliseconds(100)}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  where.sin_port = htons(static_cast<uint16_t>(ParseHostPort((*server)->address(), AddressUse::kDial)->port));
  const int silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(silent, reinterpret_cast<sockaddr*>(&where), sizeof(where)), 0);
  // Until the server hangs up; what it may say before that does not count.
  const timeval patience = {.tv_sec = 20, .tv_usec = 0};
  setsockopt(silent, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  char buffer[256];
  ssize_t got;
  while ((got = recv(silent, buffer, sizeof(buffer), 0)) > 0) {
  }
  EXPECT_TRUE(got == 0 || errno == ECONNRESET) << errno;
  close(silent);
}

// Where nothing is: a proxy there lets no call through.
class ProxyVariables {
 public:
  ProxyVariables() {
    for (const char* name : kNames) setenv(name, "http://127.0.0.1:9", 1);
  }
  ~ProxyVariables() {
    for (const char* name : kNames) unsetenv(name);
  }

 private:
  static constexpr const char* kNames[] = {"http_proxy", "https_proxy", "grpc_proxy", "all_proxy",
                                           "HTTP_PROXY", "HTTPS_PROXY", "GRPC_PROXY", "ALL_PROXY"};
};

TEST(Rpc, ChannelsPassProxiesByUnlessToldOtherwise) {
  v1::Reward::Service service;
  const auto server = RpcServer::Start({}, {&service});
  ASSERT_TRUE(server.ok()) << server.status();
  const ProxyVariables variables;
  v1::RpcConfig config;
  config.set_max_message_mib(4);
  const auto call = [&] {
    v1::GetInfoResponse response;
    return v1::Reward::NewStub(MakeChannel((*server)->address(), config))
        ->GetInfo(MakeContext(absl::Seconds(20)).get(), v1::GetInfoRequest(), &response)
        .error_code();
  };
  EXPECT_EQ(call(), grpc::StatusCode::UNIMPLEMENTED);  // it arrived
  config.set_use_proxy(true);
  EXPECT_EQ(call(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace lvrpo
