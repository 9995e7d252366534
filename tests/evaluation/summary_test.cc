#include "evaluation/summary.h"

#include <cmath>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(SummarizeImages, GivesProportionsWithStandardErrorsByKind) {
  std::vector<ImageJudgement> judgements(4);
  for (ImageJudgement& judgement : judgements) {
    judgement.kind = "single";
    judgement.objects = 2;
    judgement.objects_asked = 1;
    judgement.presence_only = true;
  }
  judgements[0].correct = true;
  judgements[0].colors = {"red", "blue"};
  judgements[1].kind = "two";

  const nlohmann::json summary = SummarizeImages(judgements);

  EXPECT_DOUBLE_EQ(summary["score"], 0.25);
  EXPECT_NEAR(summary["standard_error"].get<double>(), 0.2165063509, 1e-9);  // sqrt(.25 * .75 / 4)
  EXPECT_DOUBLE_EQ(summary["presence_only"], 1.0);
  EXPECT_DOUBLE_EQ(summary["objects_per_image"], 2.0);
  EXPECT_DOUBLE_EQ(summary["color_entropy_bits"], 1.0);
  EXPECT_EQ(summary["by_kind"]["single"]["images"], 3);
  EXPECT_NEAR(summary["by_kind"]["single"]["score"].get<double>(), 1.0 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(summary["by_kind"]["two"]["score"], 0.0);
}

TEST(SummarizeImages, OfNothingIsZeroNotNan) {
  const nlohmann::json summary = SummarizeImages({});
  EXPECT_EQ(summary["images"], 0);
  EXPECT_DOUBLE_EQ(summary["score"], 0.0);
  EXPECT_DOUBLE_EQ(summary["objects_per_image"], 0.0);
}

TEST(SummarizeAnswers, CountsExactMatches) {
  const nlohmann::json summary =
      SummarizeAnswers({{"a", "how_many", true, 0.75}, {"b", "how_many", false, 0.25}});
  EXPECT_DOUBLE_EQ(summary["exact_match"], 0.5);
  EXPECT_NEAR(summary["standard_error"].get<double>(), std::sqrt(.5 * .5 / 2), 1e-12);
  EXPECT_DOUBLE_EQ(summary["answer_probability"], 0.5);
  EXPECT_EQ(summary["by_kind"]["how_many"]["questions"], 2);
}

TEST(SummarizeImages, SharesAreOfObjectsAndNotOfImages) {
  std::vector<ImageJudgement> judgements(2);
  judgements[0].objects = 4;
  judgements[0].objects_asked = 3;
  judgements[0].unknown_shapes = 1;
  judgements[0].colors = {"red", "red", "red", "red"};
  const nlohmann::json summary = SummarizeImages(judgements);  // nothing was found in the second
  EXPECT_DOUBLE_EQ(summary["objects_per_image"], 2);
  EXPECT_DOUBLE_EQ(summary["objects_asked_per_image"], 1.5);
  EXPECT_DOUBLE_EQ(summary["unknown_share"], 0.25);
  EXPECT_DOUBLE_EQ(summary["color_entropy_bits"], 0);
  EXPECT_EQ(summary["by_kind"].size(), 1u);  // both have no kind
}

TEST(SummarizeImages, AllRightIsCertain) {
  std::vector<ImageJudgement> judgements(3);
  for (ImageJudgement& judgement : judgements) judgement.correct = judgement.presence_only = true;
  const nlohmann::json summary = SummarizeImages(judgements);
  EXPECT_DOUBLE_EQ(summary["score"], 1);
  EXPECT_DOUBLE_EQ(summary["standard_error"], 0);
}

TEST(SummarizeImages, KeepsKindsApart) {
  std::vector<ImageJudgement> judgements(5);
  for (size_t i = 0; i < judgements.size(); ++i) {
    judgements[i].kind = i < 4 ? "single" : "two";
    judgements[i].correct = i < 1;
    judgements[i].presence_only = i < 2;
  }
  const nlohmann::json kinds = SummarizeImages(judgements)["by_kind"];
  EXPECT_DOUBLE_EQ(kinds["single"]["score"], 0.25);
  EXPECT_DOUBLE_EQ(kinds["single"]["presence_only"], 0.5);
  EXPECT_NEAR(kinds["single"]["standard_error"].get<double>(), std::sqrt(.25 * .75 / 4), 1e-12);
  EXPECT_DOUBLE_EQ(kinds["two"]["presence_only"], 0);
}

TEST(SummarizeAnswers, OfNothingIsZeroNotNan) {
  const nlohmann::json summary = SummarizeAnswers({});
  EXPECT_EQ(summary["questions"], 0);
  EXPECT_DOUBLE_EQ(summary["exact_match"], 0);
  EXPECT_DOUBLE_EQ(summary["answer_probability"], 0);
  EXPECT_EQ(summary["by_kind"], nlohmann::json::object());
}

TEST(SummarizeAnswers, KeepsKindsApart) {
  const nlohmann::json summary =
      SummarizeAnswers({{"a", "how_many", true, 1}, {"b", "color", false, 0.5}, {"c", "color", true, 0.25}});
  EXPECT_DOUBLE_EQ(summary["by_kind"]["how_many"]["exact_match"], 1);
  EXPECT_DOUBLE_EQ(summary["by_kind"]["color"]["exact_match"], 0.5);
  EXPECT_DOUBLE_EQ(summary["by_kind"]["color"]["answer_probability"], 0.375);
  EXPECT_NEAR(summary["by_kind"]["color"]["standard_error"].get<double>(), std::sqrt(0.125), 1e-12);
}

}  // namespace
}  // namespace lvrpo
