#include "reward_server/client.h"

#include <optional>
#include <string>

#include "common/telemetry/log_group.h"
#include "gtest/gtest.h"
#include "proto/lvrpo/v1/reward.grpc.pb.h"

namespace lvrpo {
namespace {

// Keeps the group that the newest call named.
class Listener final : public v1::Reward::Service {
 public:
  std::optional<std::string> group;

 private:
  grpc::Status Score(grpc::ServerContext* context, const v1::ScoreRequest*, v1::ScoreResponse*) override {
    const auto found = context->client_metadata().find(kGroupMetadata);
    group.reset();
    if (found != context->client_metadata().end()) group.emplace(found->second.data(), found->second.size());
    return grpc::Status::OK;
  }
};

TEST(RewardClient, NamesTheGroupThatItsThreadIsAt) {
  Listener listener;
  const auto server = *RpcServer::Start({}, {&listener});
  RewardClient client(64);
  const auto named = [&] {
    EXPECT_TRUE(client.Score(server->address(), {}, absl::Seconds(10)).ok());
    return listener.group;
  };
  EXPECT_EQ(named(), std::nullopt);
  const LogGroup about(GroupId{.run = "shapes-1", .ordinal = 12, .attempt = 1});
  EXPECT_EQ(named(), "shapes-1/12/1");
  // What a hostile coordinator calls its run would end this process in gRPC.
  const LogGroup hostile(GroupId{.run = "a\nb", .ordinal = 12});
  EXPECT_EQ(named(), std::nullopt);
}

}  // namespace
}  // namespace lvrpo
