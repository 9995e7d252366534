#include "cli/status_command.h"
#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/lvrpo/v1/coordinator.grpc.pb.h"
#include "tests/testing/test_certificates.h"

namespace lvrpo {
namespace {

// The records alone would say that nobody works on the run.
TEST(StatusOverTls, ARunThatRefusesThisProcessIsNotCalledStopped) {
  const TemporaryFolder folder;
  const TestAuthority authority;
  v1::Coordinator::Service service;
  RpcServer::Options options;
  options.tls = std::make_shared<TlsContext>(authority.Write(folder, "tls", PeerRole::kCoordinator));
  const auto server = *RpcServer::Start(options, {&service});
  folder.Write("run/coordinator.json", "{\"address\": \"" + server->address() + "\"}");
  folder.Write("run/coordinator.sqlite", "");
  const absl::Status status = ShowStatus(folder / "run", "", /*json=*/false);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("--tls"));
}

}  // namespace
}  // namespace lvrpo
