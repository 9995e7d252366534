#include "common/telemetry/log_group.h"

#include <thread>

#include "common/telemetry/logging.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

nlohmann::json Line(const std::string& words = "words") {
  return nlohmann::json::parse(JsonLine(1.5, "warning", "reward", "reward-3", words));
}

class LogGroupTest : public ::testing::Test {
 protected:
  void TearDown() override { SetLogRun(""); }
};

TEST_F(LogGroupTest, ALineSaysWhoWroteItAndInWhichRun) {
  EXPECT_EQ(
      Line(),
      nlohmann::json(
          {{"ts", 1.5}, {"level", "warning"}, {"role", "reward"}, {"member", "reward-3"}, {"msg", "words"}}));
  SetLogRun("a");
  EXPECT_EQ(Line()["run"], "a");
  EXPECT_EQ(Line("\xff \"x\"\n")["msg"], "\xEF\xBF\xBD \"x\"\n") << "always one line of valid JSON";
}

TEST_F(LogGroupTest, ALineAboutAGroupNamesItAndItsTrace) {
  SetLogRun("a");
  {
    const LogGroup outer(12, 1);
    EXPECT_EQ(Line()["group"], "12/1");
    EXPECT_EQ(Line()["trace"], TraceIdOf({"a", 12, 1}));
    std::thread([] { EXPECT_FALSE(Line().contains("group")) << "another thread's"; }).join();
    {
      const LogGroup inner(13, 0);
      EXPECT_EQ(Line()["group"], "13/0");
      const LogGroup nothing(std::nullopt);
      EXPECT_EQ(Line()["group"], "13/0");
    }
    EXPECT_EQ(Line()["group"], "12/1");
  }
  EXPECT_FALSE(Line().contains("group"));
  EXPECT_FALSE(Line().contains("trace"));
}

TEST_F(LogGroupTest, AProcessThatKnowsNoRunLogsItsCallers) {
  const LogGroup about(GroupId{.run = "b", .ordinal = 3});
  EXPECT_EQ(Line()["run"], "b");
  EXPECT_EQ(Line()["trace"], TraceIdOf({"b", 3, 0}));
  SetLogRun("a");
  EXPECT_EQ(Line()["run"], "a") << "its own is certain";
  SetLogRun("");
  const LogGroup unknown(4, 0);
  EXPECT_FALSE(Line().contains("trace"));
}

// It is computed in each process: another one would not be found in the logs of an older process.
TEST_F(LogGroupTest, TheTraceFollowsFromRunOrdinalAndAttempt) {
  EXPECT_EQ(TraceIdOf({"shapes-1", 12, 1}), "cfc680c813ebe18b37f769900024998c");
  for (const GroupId& other : {GroupId{"shapes-2", 12, 1}, {"shapes-1", 13, 1}, {"shapes-1", 12, 2}})
    EXPECT_NE(TraceIdOf(other), TraceIdOf({"shapes-1", 12, 1}));
}

TEST_F(LogGroupTest, TravelsAsTextThatIsChecked) {
  const GroupId group = {"shapes-1", 9000000000, 7};
  EXPECT_EQ(ParseGroupId(ToText(group)), group);
  for (const char* bad :
       {"", "a", "a/1", "a/1/2/3", "/1/2", "a/-1/0", "a/1/-2", "a/01/0", "a/+1/0", "a/1/ 0", "a/1/4294967296",
        "a/99999999999999999999/0", "../1/0", "a b/1/0", "a\n/1/0", "a/1/0\n", "a//0"})
    EXPECT_EQ(ParseGroupId(bad), std::nullopt) << bad;
  EXPECT_EQ(ParseGroupId(std::string(201, 'a') + "/1/0"), std::nullopt);
}

}  // namespace
}  // namespace lvrpo
