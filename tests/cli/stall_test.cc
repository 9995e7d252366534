#include "cli/local/stall.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/run_status.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Stall, SpeaksWithinHalfAMinuteAndThenEveryMinute) {
  const absl::Time start = absl::UnixEpoch();
  StallWatch watch(start);
  std::vector<int> spoke;
  for (int second = 0; second <= 200; ++second) {
    if (watch.Look(Status(3, second, {{"zero_variance", 10 + second}}), start + absl::Seconds(second)))
      spoke.push_back(second);
  }
  EXPECT_THAT(spoke, ElementsAre(15, 75, 135, 195));
  EXPECT_EQ(watch.Facts(start + absl::Seconds(200)).retired["zero_variance"], 200);
  // A step resets the count: earlier retirements are not reported again.
  EXPECT_FALSE(watch.Look(Status(4, 0, {{"zero_variance", 300}}), start + absl::Seconds(201)));
  EXPECT_TRUE(watch.moved());
  EXPECT_THAT(watch.Facts(start + absl::Seconds(201)).retired, IsEmpty());
  EXPECT_TRUE(watch.Look(Status(4, 15, {{"zero_variance", 304}}), start + absl::Seconds(216)));
  EXPECT_EQ(watch.Facts(start + absl::Seconds(216)).retired["zero_variance"], 4);
}

TEST(Stall, ANewReasonIsToldSoon) {
  const absl::Time start = absl::UnixEpoch();
  StallWatch watch(start);
  std::vector<int> spoke;
  for (int second = 0; second <= 100; ++second) {  // roles load for 17 s, then groups are retired
    const std::map<std::string, int64_t> retired =
        second < 18   ? std::map<std::string, int64_t>{}
        : second < 40 ? std::map<std::string, int64_t>{{"stale", 1}}
                      : std::map<std::string, int64_t>{{"stale", 2}, {"no_reward", 1}};
    if (watch.Look(Status(0, second, retired), start + absl::Seconds(second))) spoke.push_back(second);
  }
  EXPECT_THAT(spoke, ElementsAre(15, 20, 40, 100));
}

TEST(Stall, SlowRunsAreNoneAndSilentCoordinatorsAre) {
  const absl::Time start = absl::UnixEpoch();
  StallWatch slow(start);
  for (int second = 0; second <= 600; ++second)  // a step takes ten minutes, but groups come
    EXPECT_FALSE(slow.Look(Status(0, second % 14, {}), start + absl::Seconds(second))) << second;
  StallWatch silent(start);
  EXPECT_FALSE(silent.LookAtSilence(start + absl::Seconds(5)));
  EXPECT_TRUE(silent.LookAtSilence(start + absl::Seconds(20)));
  EXPECT_FALSE(silent.LookAtSilence(start + absl::Seconds(79)));
  EXPECT_THAT(FormatStall(silent.Facts(start + absl::Seconds(20))),
              HasSubstr("coordinator, which does not answer"));
}

TEST(Stall, NamesEveryReason) {
  StallFacts facts;
  facts.since_step = absl::Seconds(31);
  EXPECT_EQ(FormatStall(facts), "no step for 31 s");
  facts.waiting_for = "rollout-0 (ordinal 7)";
  facts.retired = {{"zero_variance", 40}, {"my_reason", 1}};
  facts.complaints = {"rollout-0: external scorer 'x' answered 401"};
  facts.disk = "the disk of /runs/a is full";
  EXPECT_EQ(
      FormatStall(facts),
      "no step for 31 s: waiting for rollout-0 (ordinal 7); the disk of /runs/a is full; 1 group was retired "
      "(my_reason); 40 groups were retired (zero_variance: all rewards of a group were equal, so there is "
      "nothing to learn from); rollout-0: external scorer 'x' answered 401");
}

TEST(Stall, ACoordinatorThatCameBackIsBelieved) {
  const absl::Time start = absl::UnixEpoch();
  StallWatch watch(start);
  EXPECT_FALSE(watch.Look(Status(3, 1, {}), start + absl::Seconds(1)));
  EXPECT_TRUE(watch.LookAtSilence(start + absl::Seconds(20)));
  EXPECT_FALSE(watch.moved());
  EXPECT_FALSE(watch.Look(Status(3, 20, {}), start + absl::Seconds(21)));  // told a second ago
  EXPECT_EQ(watch.Facts(start + absl::Seconds(21)).waiting_for, "rollout-0 (ordinal 7)");
  EXPECT_EQ(watch.Facts(start + absl::Seconds(21)).since_step, absl::Seconds(21));
}

TEST(Stall, GoingBackToACheckpointIsProgressAndNoRetirementIsNegative) {
  const absl::Time start = absl::UnixEpoch();
  StallWatch watch(start);
  EXPECT_FALSE(watch.Look(Status(9, 0, {{"stale", 50}}), start));
  EXPECT_FALSE(watch.moved());  // a resumed run begins at its step
  EXPECT_FALSE(watch.Look(Status(5, 60, {{"stale", 8}}), start + absl::Seconds(60)));
  EXPECT_TRUE(watch.moved());
  EXPECT_FALSE(watch.Look(Status(5, 61, {{"stale", 2}}), start + absl::Seconds(61)));
  EXPECT_FALSE(watch.moved());
  EXPECT_THAT(watch.Facts(start + absl::Seconds(61)).retired, IsEmpty());
}

TEST(Stall, EveryReasonHasWordsOrItself) {
  EXPECT_THAT(ReasonInWords("zero_variance"), HasSubstr("all rewards of a group were equal"));
  EXPECT_EQ(ReasonInWords("a_new_reason"), "a_new_reason");
  EXPECT_EQ(ReasonInWords(""), "");
}

TEST(Stall, AReasonThatAStepEndedIsNewsAgain) {
  const absl::Time start = absl::UnixEpoch();
  StallWatch watch(start);
  const auto looks = [&](int64_t step, int64_t retired, double idle, int second) {
    return watch.Look(Status(step, idle, {{"zero_variance", retired}}), start + absl::Seconds(second));
  };
  EXPECT_FALSE(looks(3, 1, 0, 0));
  EXPECT_TRUE(looks(3, 2, 15, 15));  // told
  EXPECT_FALSE(looks(4, 2, 0, 20));  // a step
  EXPECT_TRUE(looks(4, 2, 15, 35));  // nothing is retired: it waits
  EXPECT_TRUE(looks(4, 3, 20, 40));
  EXPECT_FALSE(looks(4, 4, 30, 50));  // told a moment ago
}

}  // namespace
}  // namespace lvrpo
