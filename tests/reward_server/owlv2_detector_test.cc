#include "reward_server/scorers/owlv2_detector.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

// Random weights, in which a patch finds one class or the other.
Owlv2Detector TinyDetector(Owlv2Detector::Options options = {.threshold = 0, .most_overlap = 1}) {
  Owlv2Config config;
  config.vision = {.width = 16, .layers = 1, .heads = 2, .mlp = 24};
  config.text = {.width = 12, .layers = 1, .heads = 3, .mlp = 20};
  config.image_size = 16, config.patch_size = 4;
  config.vocabulary = 30, config.text_length = 8, config.projection = 12;
  TensorMap tensors = Owlv2::RandomInit(config, 5);
  torch::manual_seed(6);
  for (auto& [name, tensor] : tensors) tensor = tensor + .2 * torch::randn_like(tensor);
  return Owlv2Detector(*Owlv2::Create(config, tensors, "test"),
                       MakeWordTokenizer({"a", "photo", "of", "ball", "dog", "red"}), options);
}

std::vector<RgbImage> Images() {
  RgbImage wide = {32, 16, std::vector<uint8_t>(32 * 16 * 3)}, square = {20, 20, std::vector<uint8_t>(1200)};
  for (size_t i = 0; i < wide.pixels.size(); ++i) wide.pixels[i] = static_cast<uint8_t>(i * 37);
  for (size_t i = 0; i < square.pixels.size(); ++i) square.pixels[i] = static_cast<uint8_t>(i * 11);
  return {wide, square};
}

TEST(Owlv2Detector, GivesEveryPatchToOneOfTheClassesInPixels) {
  Owlv2Detector detector = TinyDetector();
  const auto found = detector.Detect(Images(), {"ball", "red dog"});
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->size(), 2);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*found)[i].size(), 16);  // 4 x 4 patches, nothing left out
    for (const Detection& detection : (*found)[i]) {
      EXPECT_TRUE(detection.class_name == "ball" || detection.class_name == "red dog");
      EXPECT_TRUE(detection.score > 0 && detection.score < 1);
      EXPECT_LE(detection.x0, detection.x1);
      EXPECT_LE(detection.y0, detection.y1);
      EXPECT_LT(detection.x1, 2 * 32);  // pixels of the image, not of the model
    }
  }
  EXPECT_TRUE(detector.Detect(Images(), {})->at(0).empty());
}

TEST(Owlv2Detector, AnImageDoesNotDependOnItsBatchNorAClassOnWhenItWasFirstAsked) {
  Owlv2Detector together = TinyDetector(),
                alone = TinyDetector({.threshold = 0, .most_overlap = 1, .batch = 1});
  ASSERT_TRUE(alone.Detect(Images(), {"dog"}).ok());
  const auto all = *together.Detect(Images(), {"ball", "dog"}),
             each = *alone.Detect(Images(), {"ball", "dog"});
  for (size_t i = 0; i < 2; ++i) {
    ASSERT_EQ(all[i].size(), each[i].size());
    for (size_t k = 0; k < all[i].size(); ++k) {
      EXPECT_NEAR(all[i][k].score, each[i][k].score, 1e-5);
      EXPECT_NEAR(all[i][k].x0, each[i][k].x0, 1e-3);
    }
  }
}

TEST(Owlv2Detector, LeavesOutWhatIsUnsure) {
  const auto all = *TinyDetector().Detect(Images(), {"ball"});
  double best = 0;
  for (const Detection& detection : all[0]) best = std::max(best, detection.score);
  EXPECT_TRUE(TinyDetector({.threshold = best}).Detect({Images()[0]}, {"ball"})->at(0).empty());
  EXPECT_NE(TinyDetector({.threshold = .5}).digest(), TinyDetector().digest());
}

TEST(Owlv2Detector, SaysWhatItCannotLookFor) {
  Owlv2Detector detector = TinyDetector();
  const absl::Status unknown = detector.Detect(Images(), {"ball", "zebra"}).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("zebra"));
  EXPECT_EQ(detector.Detect(Images(), std::vector<std::string>(65, "ball")).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(Owlv2Detector::Load("/nowhere", {}).ok());
}

}  // namespace
}  // namespace lvrpo
