#include "reward_server/scorers/guard_scorers.h"

#include "data/image/image_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shapes_world/scene.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

ScoringGroup MakeGroup(std::vector<RgbImage> images) {
  ScoringGroup group;
  group.prompt.set_task(v1::TASK_KIND_IMAGE);
  group.images = std::move(images);
  return group;
}

TEST(ArtefactScorer, SeesACheckerboardOverAPicture) {
  const RgbImage clean =
      shapes::Render({.objects = {{.shape = 0, .color = 0, .cell = 0, .x = 20, .y = 24, .radius = 11}}});
  RgbImage marked = clean;
  for (int y = 0; y < marked.height; ++y) {
    for (int x = 0; x < marked.width; ++x) {
      if ((x + y) % 2 == 0) continue;
      for (int c = 0; c < 3; ++c) marked.pixels[static_cast<size_t>((y * marked.width + x) * 3 + c)] ^= 8;
    }
  }
  const auto scores = ArtefactScorer().ScoreGroup(MakeGroup({clean, marked}));
  ASSERT_TRUE(scores.ok());
  EXPECT_LT((*scores)[0].value, .05);
  EXPECT_GT((*scores)[1].value, .2);
}

TEST(WrittenTextScorer, SeesWhatIsWrittenWhereNoneWasAskedFor) {
  WrittenTextScorer scorer;
  ScoringGroup group;
  std::vector<RgbImage> images;
  for (const char* name : {"no_text.png", "sign.png"})
    images.push_back(*ReadImage(std::string("tests/verifiers/testdata/") + name));
  group = MakeGroup(std::move(images));
  ASSERT_TRUE(scorer.AppliesTo(group.prompt));
  const auto scores = scorer.ScoreGroup(group);
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_EQ((*scores)[0].value, 0);
  EXPECT_GE((*scores)[1].value, .5);
  EXPECT_FALSE((*scores)[1].detail.empty());
  group.prompt.add_rules()->mutable_written_text();
  EXPECT_FALSE(scorer.AppliesTo(group.prompt));
}

}  // namespace
}  // namespace lvrpo
