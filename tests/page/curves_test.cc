#include "coordinator/page/curves.h"

#include <cmath>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using Figures = google::protobuf::Map<std::string, double>;

Figures Of(const std::map<std::string, double>& values) { return {values.begin(), values.end()}; }

TEST(Curves, KeepWhatThePageDraws) {
  Curves curves;
  curves.Add(0, 100, Of({{"reward", .5}, {"image_kl", .1}, {"samples", 64}, {"reward_ocr", std::nan("")}}));
  curves.Add(1, 103, Of({{"reward", .7}}));
  const nlohmann::json json = curves.ToJson();
  EXPECT_EQ(json["steps"], 2);
  EXPECT_EQ(json["seconds_per_step"], 3);
  EXPECT_EQ(json["figures"].size(), 2u);
  EXPECT_EQ(json["figures"]["reward"], nlohmann::json::parse("[[1.0, 0.5], [2.0, 0.7]]"));
}

TEST(Curves, StayBoundedAndKeepTheWholeRun) {
  Curves curves;
  for (int64_t step = 0; step < 100000; ++step)
    curves.Add(step, static_cast<double>(step), Of({{"reward", step}}));
  const nlohmann::json json = curves.ToJson()["figures"]["reward"];
  ASSERT_LE(json.size(), Curves::kMostPoints);
  ASSERT_GE(json.size(), Curves::kMostPoints / 2 - 1);
  for (const nlohmann::json& point : json)
    EXPECT_NEAR(point[0].get<double>(), point[1].get<double>() + 1, .51);
  EXPECT_LT(json.front()[0], 300);
  EXPECT_GT(json.back()[0], 99700);
}

TEST(Curves, TakeNoMoreFiguresThanFit) {
  Curves curves;
  for (int i = 0; i < 200; ++i) curves.Add(i, i, Of({{"reward_" + std::to_string(i), 1}}));
  EXPECT_EQ(curves.ToJson()["figures"].size(), Curves::kMostFigures);
}

TEST(Curves, ForgetStepsThatWereAbandoned) {
  Curves curves;
  for (int64_t step = 0; step < 5; ++step)
    curves.Add(step, static_cast<double>(step), Of({{"reward", step}}));
  curves.Add(2, 9, Of({{"reward", 70}}));
  EXPECT_EQ(curves.ToJson()["figures"]["reward"],
            nlohmann::json::parse("[[1.0, 0.0], [2.0, 1.0], [3.0, 70.0]]"));
  EXPECT_EQ(curves.ToJson()["steps"], 3);
}

}  // namespace
}  // namespace lvrpo
