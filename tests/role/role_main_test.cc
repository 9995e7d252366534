#include "role/role_main.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

std::string g_ran_as;
absl::Status g_outcome;

absl::Status Run(const RoleFlags& flags, const v1::RunConfig&, ShutdownSignal&) {
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
                  .flags = "cmt",
                  .member_id = "role-0",
                  .required = {"--coordinator"},
                  .run = Run,
                  .out_of_range = kExitDiverged},
                 static_cast<int>(argv.size()), argv.data());
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

}  // namespace
}  // namespace lvrpo
