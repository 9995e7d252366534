// Every role that is to compute on a GPU, on a machine without one.

#include <sys/wait.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/weights/device.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(FindDevice, KnowsTheCpuAndRefusesWhatIsNotThere) {
  EXPECT_TRUE(FindDevice("cpu")->is_cpu());
  EXPECT_TRUE(absl::IsInvalidArgument(FindDevice("gpu").status()));
  EXPECT_FALSE(DeviceMemory(torch::kCPU).has_value());
  for (const int index : {GpuCount(), 63}) {
    const std::string name = absl::StrCat("cuda:", index);
    const absl::Status none = FindDevice(name).status();
    EXPECT_TRUE(absl::IsUnavailable(none)) << none;
    EXPECT_THAT(std::string(none.message()), HasSubstr(name));
  }
}

struct Role {
  const char *program, *setting, *flags;
};

class RoleWithoutGpu : public ::testing::TestWithParam<Role> {};

TEST_P(RoleWithoutGpu, EndsWithOneSentenceBeforeItLoadsAnything) {
  if (GpuCount() > 0) GTEST_SKIP() << "there are GPUs";
  const TemporaryFolder folder;
  // A model folder that is none: whoever loads before it looks for the device complains of it.
  const std::string empty = folder.path();
  for (const char* device : {"cuda", "cuda:9"}) {
    const std::string said = folder / "said",
                      command = absl::StrCat("LVRPO_LOG_LEVEL=warn ", LVRPO_BIN_DIR, "/", GetParam().program,
                                             " --config configs/shapes.yaml --set ", GetParam().setting, "=",
                                             device, " --set model.policy=", empty,
                                             " --set model.referee=", empty, " --set model.vqa=", empty, " ",
                                             GetParam().flags, " >", said, " 2>&1 </dev/null");
    const int status = std::system(command.c_str());
    const std::string words = ReadFile(said).value_or("");
    ASSERT_TRUE(WIFEXITED(status)) << words;
    EXPECT_EQ(WEXITSTATUS(status), kExitUnavailable) << words;
    EXPECT_THAT(words, HasSubstr(absl::StrCat("the device cuda",
                                              GetParam().setting == std::string("learner.device") &&
                                                      device == std::string("cuda")
                                                  ? ":0"
                                                  : device + 4)));
    EXPECT_EQ(std::count(words.begin(), words.end(), '\n'), 1) << words;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, RoleWithoutGpu,
    ::testing::Values(Role{"lvrpo-rollout-worker", "rollout.device", "--coordinator 127.0.0.1:1"},
                      Role{"lvrpo-reward-server", "reward.device", ""},
                      Role{"lvrpo-score", "reward.device", "--text hello --prompt words"},
                      Role{"lvrpo-learner", "learner.device", "--coordinator 127.0.0.1:1 --run-dir /nowhere"},
                      Role{"lvrpo-evaluate", "rollout.device", "--out /nowhere"}),
    [](const auto& info) { return std::string(info.param.program).substr(6, 4); });

}  // namespace
}  // namespace lvrpo
