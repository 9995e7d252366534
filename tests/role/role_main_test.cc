#include "role/role_main.h"

#include <signal.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/net/rpc.h"
#include "gtest/gtest.h"
#include "proto/lvrpo/v1/coordinator.grpc.pb.h"

namespace lvrpo {
namespace {

std::string g_ran_as;
absl::Status g_outcome;

absl::Status Run(const RoleFlags& flags, const v1::RunConfig&, ShutdownSignal&, RoleHealth&) {
  g_ran_as = flags.member_id;
  return g_outcome;
}

int Exit(std::vector<std::string> arguments, absl::Status outcome = absl::OkStatus()) {
  g_ran_as = "";
  g_outcome = std::move(outcome);
  arguments.insert(arguments.begin(), "lvrpo-role");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return RunRole({.name = "lvrpo-role",
                  .description = "A role.",
                  .flags = "cmtsp",
                  .member_id = "role-0",
                  .required = {"--coordinator"},
                  .role = PeerRole::kReward,
                  .run = Run,
                  .out_of_range = kExitDiverged,
                  .is_pool = true},
                 static_cast<int>(argv.size()), argv.data());
}

absl::Status LoadForEver(const RoleFlags&, const v1::RunConfig&, ShutdownSignal&, RoleHealth&) {
  raise(SIGTERM);
  absl::SleepFor(absl::InfiniteDuration());
  return absl::OkStatus();
}

int Load(bool is_pool) {
  std::vector<std::string> arguments = {"lvrpo-role", "--config",
                                        absl::StrCat(LVRPO_SOURCE_DIR, "/configs/shapes.yaml")};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  return RunRole({.name = "lvrpo-role",
                  .description = "A role.",
                  .flags = "cmt",
                  .member_id = "role-0",
                  .role = PeerRole::kReward,
                  .run = LoadForEver,
                  .is_pool = is_pool},
                 static_cast<int>(argv.size()), argv.data());
}

// It does not wait until it is loaded.
TEST(RunRoleDeathTest, AProcessThatIsToldToLeaveWhileItLoadsLeavesAtOnce) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(std::exit(Load(/*is_pool=*/false)), testing::ExitedWithCode(kExitRetry),
              "while it was loading");
  EXPECT_EXIT(std::exit(Load(/*is_pool=*/true)), testing::ExitedWithCode(kExitDone), "while it was loading");
}

// Also before the command line is read.
TEST(RunRoleDeathTest, WhyItEndsIsAJsonLineLikeAllOthers) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto end = [](const std::vector<std::string>& arguments) {
    setenv("LVRPO_LOG", "json", 1);
    std::exit(Exit(arguments, absl::UnavailableError("all is gone")));
  };
  const std::string config = std::string(LVRPO_SOURCE_DIR) + "/configs/shapes.yaml";
  EXPECT_EXIT(end({"--no-such-flag"}), testing::ExitedWithCode(kExitUsage),
              "\\{\"level\":\"error\",\"member\":\"role-0\",\"msg\":\".*--config is "
              "required.*\",\"role\":\"reward\"");
  EXPECT_EXIT(end({"--config", "no file", "--coordinator", "127.0.0.1:1", "--member-id", "r"}),
              testing::ExitedWithCode(kExitConfig),
              "\\{\"level\":\"error\",\"member\":\"r\",\"msg\":\".*no file.*\",\"role\":\"reward\"");
  EXPECT_EXIT(end({"--config", config, "--coordinator", "127.0.0.1:1", "--member-id", "r"}),
              testing::ExitedWithCode(kExitUnavailable),
              "\\{\"level\":\"error\",\"member\":\"r\",\"msg\":\"all is gone\",\"role\":\"reward\"");
}

TEST(RunRole, RunsWithFlagsAndConfigurationOrSaysWhyNot) {
  const std::string config = std::string(LVRPO_SOURCE_DIR) + "/configs/shapes.yaml";
  EXPECT_EQ(Exit({"--config", config}), kExitUsage);  // no --coordinator
  EXPECT_EQ(Exit({"--config", config, "--coordinator", "127.0.0.1:1", "--no-such-flag"}), kExitUsage);
  EXPECT_EQ(Exit({"--config", "no such file", "--coordinator", "127.0.0.1:1"}), kExitConfig);
  EXPECT_EQ(g_ran_as, "");
  EXPECT_EQ(Exit({"--config", config, "--coordinator", "127.0.0.1:1"}), kExitDone);
  EXPECT_EQ(g_ran_as, "role-0");
  const std::vector<std::string> named = {"--config",    config,        "--coordinator",
                                          "127.0.0.1:1", "--member-id", "r"};
  EXPECT_EQ(Exit(named, absl::UnavailableError("gone")), kExitUnavailable);
  EXPECT_EQ(g_ran_as, "r");
  EXPECT_EQ(Exit(named, absl::OutOfRangeError("diverged")), kExitDiverged);
}

class FinishedRun final : public v1::Coordinator::Service {
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                         v1::GetStatusResponse* response) override {
    response->set_finished(true);
    return grpc::Status::OK;
  }
};

TEST(RunRole, AProcessOfAPoolThatComesAfterTheEndLoadsNothing) {
  FinishedRun run;
  const auto server = *RpcServer::Start({}, {&run});
  EXPECT_EQ(Exit({"--config", std::string(LVRPO_SOURCE_DIR) + "/configs/shapes.yaml", "--coordinator",
                  server->address()},
                 absl::InternalError("it has run")),
            kExitDone);
  EXPECT_EQ(g_ran_as, "");
}

TEST(RoleFlags, PatienceIsAMinuteUnlessTheProcessIsToStay) {
  RoleFlags flags;
  EXPECT_EQ(flags.patience(), absl::Minutes(1));
  flags.stay = true;
  EXPECT_EQ(flags.patience(), absl::InfiniteDuration());
  flags.patience_seconds = 5;
  EXPECT_EQ(flags.patience(), absl::Seconds(5));
  flags.stay = false;
  flags.patience_seconds = 0;
  EXPECT_EQ(flags.patience(), absl::InfiniteDuration());
}

}  // namespace
}  // namespace lvrpo
