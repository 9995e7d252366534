#include "cli/forward.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "common/exit_code.h"
#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

class Forwarding : public ::testing::Test {
 protected:
  // Runs Forward() in a child process, which it replaces; returns the exit code.
  int ExitCodeOf(const std::vector<std::string>& arguments) const {
    const ForwardedCommand* command = FindForwarded(arguments);
    EXPECT_NE(command, nullptr);
    const pid_t child = fork();
    if (child == 0) _exit(Forward(*command, folder_.path(), arguments));
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  const TemporaryFolder folder_;
};

TEST_F(Forwarding, KnowsItsCommandsAndLeavesTheOthers) {
  std::set<std::string> names;
  for (const ForwardedCommand& command : ForwardedCommands()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    EXPECT_EQ(FindForwarded({command.name, "--help"}), &command);
  }
  EXPECT_THAT(names, ::testing::IsSupersetOf(
                         {"inspect", "synthesize", "export", "generate", "ask", "edit", "watermark"}));
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{}, {"run"}, {"--help"}, {"--help", "inspect"}, {"Inspect"}, {""}})
    EXPECT_EQ(FindForwarded(arguments), nullptr);
}

TEST_F(Forwarding, PassesArgumentsOnAndTheExitCodeBack) {
  const std::string binary = folder_ / "lvrpo-model", seen = folder_ / "seen";
  ASSERT_TRUE(WriteFileAtomic(binary, "#!/bin/sh\nprintf '%s|' \"$@\" > " + seen + "\nexit 65\n").ok());
  ASSERT_EQ(chmod(binary.c_str(), 0755), 0);
  EXPECT_EQ(ExitCodeOf({"inspect", "--help", "a b", "*", ""}), 65);
  EXPECT_EQ(*ReadFile(seen), "inspect|--help|a b|*||");
  ASSERT_TRUE(WriteFileAtomic(binary, "#!/bin/sh\nkill -9 $$\n").ok());
  ASSERT_EQ(chmod(binary.c_str(), 0755), 0);
  EXPECT_EQ(ExitCodeOf({"export"}), -9);
}

TEST_F(Forwarding, SaysWhenTheBinaryIsNotThere) { EXPECT_EQ(ExitCodeOf({"inspect"}), kExitUnavailable); }

}  // namespace
}  // namespace lvrpo
