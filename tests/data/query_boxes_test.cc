#include "data/transforms/query_boxes.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

const float kLowest = std::numeric_limits<float>::lowest();

// Boxes around the middle, each half as wide as the square and a quarter as high.
std::vector<float> SameBoxes(int count) {
  std::vector<float> boxes;
  for (int i = 0; i < count; ++i) boxes.insert(boxes.end(), {.5f, .5f, .5f, .25f});
  return boxes;
}

TEST(FindQueryBoxes, KeepsTheLikeliestQueryOfEachPatchAboveTheThreshold) {
  const std::vector<float> logits = {0, 0, 2, kLowest, kLowest, -3, 1, 1};  // 4 patches, 2 queries
  const auto found = FindQueryBoxes(logits, SameBoxes(4), 2, std::nullopt, {.threshold = .5});
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->size(), 2u);  // a score of just 0.5 is none
  EXPECT_EQ((*found)[0].query, 0);
  EXPECT_NEAR((*found)[0].score, 1 / (1 + std::exp(-2.0)), 1e-6);
  EXPECT_EQ((*found)[1].query, 0);  // the first of equal ones
  EXPECT_NEAR((*found)[1].score, 1 / (1 + std::exp(-1.0)), 1e-6);
}

TEST(FindQueryBoxes, MeasuresInSidesOfThePaddedSquare) {
  const std::vector<float> logits = {3};
  const auto relative = FindQueryBoxes(logits, SameBoxes(1), 1, std::nullopt);
  EXPECT_EQ((*relative)[0].x0, .25f);
  EXPECT_EQ((*relative)[0].y1, .625f);
  const auto pixels = FindQueryBoxes(logits, SameBoxes(1), 1, ImageSize{.width = 40, .height = 80});
  EXPECT_EQ((*pixels)[0].x0, 20);
  EXPECT_EQ((*pixels)[0].x1, 60);  // beyond the image: not clamped
  EXPECT_EQ((*pixels)[0].y0, 30);
  EXPECT_EQ((*pixels)[0].y1, 50);
}

TEST(FindQueryBoxes, ThinsOverlapsOfTheSameQueryOnRequest) {
  const std::vector<float> logits = {1, kLowest, 3, kLowest, kLowest, 2, 0.5f, kLowest};
  std::vector<float> boxes = SameBoxes(4);
  boxes[12] = .1f;  // the last one lies elsewhere
  const auto all = FindQueryBoxes(logits, boxes, 2, std::nullopt);
  EXPECT_EQ(all->size(), 4u);
  const auto found = FindQueryBoxes(logits, boxes, 2, std::nullopt, {.most_overlap = .5});
  ASSERT_EQ(found->size(), 3u);
  EXPECT_GT((*found)[0].score, (*found)[1].score);
  EXPECT_EQ((*found)[1].query, 1);  // the same place, another query
  EXPECT_EQ((*found)[2].x0, .1f - .25f);
}

TEST(FindQueryBoxes, FindsNothingWhereScoresAreNotNumbers) {
  const float nan = std::nanf("");
  const std::vector<float> logits = {nan, 9, 9, nan};
  EXPECT_TRUE(FindQueryBoxes(logits, SameBoxes(2), 2, std::nullopt)->empty());
}

TEST(FindQueryBoxes, RefusesLengthsThatDoNotFit) {
  const std::vector<float> logits = {1, 2, 3};
  for (const int queries : {0, 2, 3}) {
    EXPECT_TRUE(
        absl::IsInvalidArgument(FindQueryBoxes(logits, SameBoxes(3), queries, std::nullopt).status()));
  }
}

TEST(Overlap, IsIntersectionOverUnion) {
  const QueryBox a{.x0 = 0, .y0 = 0, .x1 = 2, .y1 = 2}, b{.x0 = 1, .y0 = 0, .x1 = 3, .y1 = 2};
  EXPECT_DOUBLE_EQ(Overlap(a, b), 1.0 / 3);
  EXPECT_DOUBLE_EQ(Overlap(a, a), 1);
  EXPECT_DOUBLE_EQ(Overlap(a, QueryBox{.x0 = 2, .y0 = 2, .x1 = 3, .y1 = 3}), 0);
  EXPECT_DOUBLE_EQ(Overlap(QueryBox(), QueryBox()), 0);
}

}  // namespace
}  // namespace lvrpo
