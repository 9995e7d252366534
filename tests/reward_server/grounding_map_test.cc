#include "reward_server/scorers/grounding_map.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reward_server/scorers/guard_scorers.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Sum of the best assignment / max(phrases, regions), worked by hand.
TEST(CountAwareScore, AssignsOneToOne) {
  struct Case {
    const char* promise;
    std::vector<std::vector<double>> similarity;  // [phrase][region]
    size_t regions;
    double score;
  };
  const Case cases[] = {
      {"nothing asked", {}, 2, 0},
      {"nothing found", {{}, {}}, 0, 0},
      {"one for one", {{0.8}}, 1, 0.8},
      {"a region too many costs", {{0.8, 0.6}}, 2, 0.4},
      {"every cell filled", {{1, 1, 1, 1}}, 4, 0.25},
      {"a region too few costs as much", {{0.8}, {0.6}}, 1, 0.4},
      {"the best pairs are not the best assignment", {{0.9, 0.8}, {0.8, 0.1}}, 2, 0.8},
      {"one region does not serve a phrase twice", {{1, 0}, {1, 0}}, 2, 0.5},
      {"a repeated phrase takes its copies", {{1, 0.9, 0}, {1, 0.9, 0}, {0, 0, 1}}, 3, (1 + 0.9 + 1) / 3},
      {"the best of many regions",
       {{0.1, 0.2, 0.9, 0.3, 0.4}, {0.7, 0.1, 0.8, 0.1, 0.1}},
       5,
       (0.9 + 0.7) / 5},
      {"nothing fits", {{0, 0}, {0, 0}}, 2, 0},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.promise);
    EXPECT_NEAR(CountAwareScore(test.similarity, test.regions), test.score, 1e-12);
  }
}

TEST(TopPatches, IsTheMeanOverPhrasesOfTheBest) {
  const GroundingMaps maps = {1, 4, {{.1f, .8f, .4f, 0}, {.2f, .2f, .2f, .2f}}};
  EXPECT_NEAR(TopPatches(maps, 1), (.8 + .2) / 2, 1e-6);
  EXPECT_NEAR(TopPatches(maps, 2), (.6 + .2) / 2, 1e-6);
  EXPECT_NEAR(TopPatches(maps, 4), (.325 + .2) / 2, 1e-6);
  EXPECT_NEAR(TopPatches(maps, 99), TopPatches(maps, 4), 1e-9);  // no more than there are
  EXPECT_EQ(TopPatches({1, 4, {}}, 1), 0);
}

TEST(RegionsOfObjects, AreThePatchesInTheirCircles) {
  const RgbImage image = {40, 20, {}};  // patches of 10 x 10
  std::vector<SegmentedObject> objects(2);
  objects[0].x = 10, objects[0].y = 5, objects[0].radius = 6;  // centres at x 5 and 15
  objects[1].x = 38, objects[1].y = 19, objects[1].radius = 1;
  EXPECT_THAT(RegionsOfObjects(objects, image, 2, 4), ElementsAre(ElementsAre(0, 1), ElementsAre(7)));
  EXPECT_THAT(RegionsOfObjects({}, image, 2, 4), IsEmpty());
}

struct PeakCase {
  const char* promise;
  GroundingMaps maps;
  std::vector<Region> regions;
};

TEST(PeakRegions, AreSeparatePeaksOfAnyPhrase) {
  const PeakCase cases[] = {
      {"nothing is found in nothing", {2, 2, {{0, 0, 0, 0}}}, {}},
      {"without phrases there is nothing to find", {2, 2, {}}, {}},
      {"what is flat is one region", {2, 2, {{.3f, .3f, .3f, .3f}}}, {{0, 1, 2, 3}}},
      {"a valley of half the height parts two", {1, 5, {{.9f, .6f, .2f, .7f, .9f}}}, {{0, 1}, {3, 4}}},
      {"a pass parts them too where it is low enough",
       {1, 5, {{1.f, .9f, .6f, .9f, 1.f}}},
       {{0, 1, 2}, {3, 4}}},
      {"a small dip does not", {1, 5, {{1.f, .9f, .85f, .9f, 1.f}}}, {{0, 1, 2, 3, 4}}},
      {"of two phrases each has its own place",
       {1, 5, {{.9f, .1f, .1f, .1f, .1f}, {.1f, .1f, .1f, .8f, .1f}}},
       {{0}, {3}}},
      {"what is less than half as sure as the surest is no region",
       {1, 5, {{.9f, .1f, .1f, .1f, .1f}, {.1f, .1f, .1f, .4f, .1f}}},
       {{0}}},
      {"corners do not connect", {2, 2, {{.9f, .1f, .1f, .9f}}}, {{0}, {3}}},
      {"how sure they are in all does not matter", {1, 3, {{9e-6f, 1e-6f, 8e-6f}}}, {{0}, {2}}},
  };
  for (const PeakCase& test : cases) {
    SCOPED_TRACE(test.promise);
    EXPECT_EQ(PeakRegions(test.maps), test.regions);
  }
}

TEST(PeakRegions, AreSixteenAtMost) {
  GroundingMaps maps = {1, 99, {std::vector<float>(99)}};
  for (size_t i = 0; i < 99; i += 2) maps.values[0][i] = 1;
  EXPECT_THAT(PeakRegions(maps), SizeIs(16));
}

TEST(RegionSimilarity, IsTheBestPatchOfEachRegion) {
  const GroundingMaps maps = {1, 4, {{.1f, .5f, .25f, 0}, {1, 0, 0, .75f}}};
  EXPECT_THAT(RegionSimilarity(maps, {{0, 1}, {2, 3}}),
              ElementsAre(ElementsAre(.5, .25), ElementsAre(1, .75)));
  EXPECT_THAT(RegionSimilarity(maps, {}), ElementsAre(IsEmpty(), IsEmpty()));
}

TEST(OnePatchShare, IsWhatIsLostWithTheMostPreciousPatch) {
  struct Case {
    const char* promise;
    std::vector<std::vector<float>> similarity;
    double share;
  };
  for (const Case& test : {
           Case{"nothing", {}, 0},
           Case{"nothing found", {{0, 0}}, 0},
           Case{"all of it", {{1, 0, 0}}, 1},
           Case{"another patch is nearly as good", {{.8f, .6f, 0}}, .25},
           Case{"two phrases at two places", {{1, 0, 0}, {0, 0, 1}}, .5},
           Case{"two phrases at one place", {{1, 0, 0}, {1, 0, 0}}, 1},
           Case{"an image of one patch", {{.4f}}, 1},
           Case{"spread evenly", {{.5f, .5f, .5f}}, 0},
       }) {
    EXPECT_NEAR(OnePatchShare(test.similarity), test.share, 1e-6) << test.promise;
  }
}

}  // namespace
}  // namespace lvrpo
