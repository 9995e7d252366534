// A role's certificate: what --tls does, and what the process shows of it.

#include "common/files/filesystem.h"
#include "common/net/rpc_tls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "role/role_health.h"
#include "role/role_main.h"
#include "tests/testing/test_certificates.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

std::string g_metrics;

absl::Status Render(const RoleFlags&, const v1::RunConfig&, ShutdownSignal&, RoleHealth& health) {
  g_metrics = health.metrics().Render();
  return absl::OkStatus();
}

class RoleTlsTest : public ::testing::Test {
 protected:
  ~RoleTlsTest() override { SetProcessTls(nullptr); }
  int Exit(const std::string& tls) {
    std::vector<std::string> arguments = {
        "lvrpo-role", "--config", std::string(LVRPO_SOURCE_DIR) + "/configs/shapes.yaml", "--tls", tls};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    g_metrics.clear();
    return RunRole({.name = "lvrpo-role",
                    .description = "A role.",
                    .flags = "cm",
                    .member_id = "role-0",
                    .role = PeerRole::kReward,
                    .run = Render},
                   static_cast<int>(argv.size()), argv.data());
  }

  const TemporaryFolder folder_;
  const TestAuthority authority_;
};

TEST_F(RoleTlsTest, AProcessRunsWithACertificateOfItsRoleAlone) {
  TestAuthority::Leaf leaf(PeerRole::kReward);
  leaf.to = absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now()) + 7200);
  authority_.Write(folder_, "reward", leaf);
  authority_.Write(folder_, "learner", PeerRole::kLearner);
  EXPECT_EQ(Exit(folder_ / "learner"), kExitData);
  EXPECT_EQ(Exit(folder_ / "nowhere"), kExitData);
  EXPECT_EQ(g_metrics, "");
  EXPECT_EQ(ProcessTls(), nullptr);
  EXPECT_EQ(Exit(folder_.path()), kExitDone);  // a folder for each role
  ASSERT_NE(ProcessTls(), nullptr);
  EXPECT_EQ(ProcessTls()->Expiry(), leaf.to);
  EXPECT_THAT(g_metrics, HasSubstr("lvrpo_tls_certificate_expiry_timestamp_seconds"));
  ASSERT_TRUE(RemoveFile(folder_ / "reward/tls.crt").ok());
  EXPECT_EQ(ProcessTls()->Expiry(), leaf.to);  // it stays in use
}

}  // namespace
}  // namespace lvrpo
