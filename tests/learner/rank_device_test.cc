#include "learner/ranks/rank_device.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(DeviceOfRank, GivesEachRankOfAMachineAGpuOfItsOwn) {
  struct {
    const char* setting;
    int rank;
    std::optional<int> local_rank;
    int gpus;
    const char* device;
  } cases[] = {{"cpu", 3, 3, 8, "cpu"},      {"cuda:2", 1, 1, 8, "cuda:2"},  // said outright
               {"cuda", 0, {}, 1, "cuda:0"}, {"cuda", 5, {}, 1, "cuda:0"},  // a machine with one GPU for each
               {"cuda", 3, {}, 8, "cuda:3"}, {"cuda", 11, {}, 8, "cuda:3"},  // two machines with eight
               {"cuda", 5, 1, 4, "cuda:1"},                                  // machines of unequal size
               {"cuda", 1, 7, 4, "cuda:7"},  // there is none: FindDevice() says so
               {"cuda", 1, {}, 0, "cuda:0"}};
  for (const auto& c : cases)
    EXPECT_EQ(DeviceOfRank(c.setting, c.rank, c.local_rank, c.gpus), c.device) << c.setting << " " << c.rank;
}

TEST(ParseLocalRank, TakesNumbersFromZeroOn) {
  EXPECT_EQ(*ParseLocalRank(nullptr), std::nullopt);
  EXPECT_EQ(*ParseLocalRank("0"), 0);
  EXPECT_EQ(*ParseLocalRank("12"), 12);
  for (const char* words : {"", "-1", "one", "1.5"}) {
    const absl::Status refused = ParseLocalRank(words).status();
    EXPECT_TRUE(absl::IsInvalidArgument(refused));
    EXPECT_THAT(std::string(refused.message()), HasSubstr("LOCAL_RANK"));
  }
}

}  // namespace
}  // namespace lvrpo
