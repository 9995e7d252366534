#include "cli/report/report_guards.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<nlohmann::json> Steps(int count, const std::string& key,
                                  const std::function<double(int)>& value) {
  std::vector<nlohmann::json> steps;
  for (int i = 0; i < count; ++i) steps.push_back({{"step", i}, {"reward", 0.5}, {key, value(i)}});
  return steps;
}

struct TrendCase {
  const char* promise;
  const char* name;
  int steps;
  std::function<double(int)> value;
  bool suspicious;
};

TEST(GuardTrends, WarnOfWhatMovedTheWrongWayByMoreThanChance) {
  const auto noise = [](int i) { return 0.05 * ((i * 7) % 5 - 2); };
  const TrendCase cases[] = {
      {"a guard that rises", "artefacts", 60, [&](int i) { return 0.1 + 0.005 * i + 0.1 * noise(i); }, true},
      {"one that falls is welcome", "artefacts", 60, [](int i) { return 0.5 - 0.005 * i; }, false},
      {"noise is no rise", "artefacts", 60, [&](int i) { return 0.3 + noise(i); }, false},
      {"a rise of .01 is too little to speak of", "one_patch", 60, [](int i) { return 0.00016 * i; }, false},
      {"a held-out scorer that falls", "pooled", 60, [](int i) { return 0.9 - 0.005 * i; }, true},
      {"one that rises with the reward", "pooled", 60, [](int i) { return 0.2 + 0.005 * i; }, false},
      {"one step is no trend", "artefacts", 1, [](int) { return 1.0; }, false},
      {"two neither", "artefacts", 2, [](int i) { return i * 1.0; }, false},
  };
  for (const TrendCase& test : cases) {
    SCOPED_TRACE(test.promise);
    const auto trends = GuardTrends(Steps(test.steps, std::string("logged_") + test.name, test.value));
    ASSERT_EQ(trends.size(), 1);
    EXPECT_EQ(trends[0].name, test.name);
    EXPECT_EQ(trends[0].suspicious, test.suspicious);
  }
}

TEST(GuardTrends, AreMeansOfTheFirstAndLastTen) {
  const auto trends = GuardTrends(Steps(30, "logged_one_patch", [](int i) { return i; }));
  ASSERT_EQ(trends.size(), 1);
  EXPECT_DOUBLE_EQ(trends[0].first, 4.5);
  EXPECT_DOUBLE_EQ(trends[0].last, 24.5);
}

TEST(GuardsHtml, ExplainsEachFigure) {
  EXPECT_EQ(GuardsHtml({}), "");
  EXPECT_EQ(GuardsHtml(Steps(5, "reward_grounding", [](int) { return 1.0; })), "");
  const std::string html = GuardsHtml(Steps(40, "logged_artefacts", [](int i) { return 0.01 * i; }));
  EXPECT_THAT(html, HasSubstr("regular grid"));
  EXPECT_THAT(html, HasSubstr("class=\"bad\""));
  EXPECT_THAT(GuardsHtml(Steps(40, "logged_pooled", [](int i) { return 0.01 * i; })),
              Not(HasSubstr("class=\"bad\"")));
}

}  // namespace
}  // namespace lvrpo
