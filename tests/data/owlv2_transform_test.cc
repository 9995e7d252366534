#include "data/transforms/owlv2_transform.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

// Rows of gray, each value three times.
RgbImage Gray(int width, int height, const std::vector<uint8_t>& values) {
  RgbImage image{width, height, {}};
  for (const uint8_t value : values) image.pixels.insert(image.pixels.end(), 3, value);
  return image;
}

Owlv2Transform To(int width, int height) {
  Owlv2Transform transform;
  transform.size = {width, height};
  transform.norm = {.mean = {0, 0, 0}, .stddev = {1, 1, 1}};
  return transform;
}

// The first channel.
std::vector<float> Plane(const RgbImage& image, const Owlv2Transform& transform) {
  const auto planes = TransformForOwlv2(image, transform);
  EXPECT_TRUE(planes.ok()) << planes.status();
  return {planes->values.begin(), planes->values.begin() + transform.size.width * transform.size.height};
}

TEST(TransformForOwlv2, OfTheModelsSizeIsNormalisedAlone) {
  Owlv2Transform transform = To(2, 2);
  transform.norm = {.mean = {0.5f, 0, 0}, .stddev = {0.25f, 1, 1}};
  EXPECT_THAT(Plane(Gray(2, 2, {0, 51, 102, 255}), transform),
              Pointwise(FloatNear(1e-6f), std::vector<float>{-2, -1.2f, -.4f, 2}));
}

TEST(TransformForOwlv2, PadsOnTheRightOrBelowBeforeItNormalises) {
  Owlv2Transform transform = To(2, 2);
  EXPECT_THAT(Plane(Gray(1, 2, {255, 0}), transform),
              Pointwise(FloatNear(1e-6f), std::vector<float>{1, .5f, 0, .5f}));
  transform.pad_value = 0;
  transform.norm.mean = {1, 1, 1};
  EXPECT_THAT(Plane(Gray(2, 1, {255, 255}), transform),
              Pointwise(FloatNear(1e-6f), std::vector<float>{0, 0, -1, -1}));
}

// Four places at -0.25, 0.25, 0.75 and 1.25 between two pixels; those outside mirror to 0.25 and 0.75.
TEST(TransformForOwlv2, EnlargesLinearlyAndMirrorsAtTheEdges) {
  const std::vector<float> row = {.25f, .25f, .75f, .75f};
  std::vector<float> expected;
  for (int y = 0; y < 4; ++y) expected.insert(expected.end(), row.begin(), row.end());
  EXPECT_THAT(Plane(Gray(2, 2, {0, 255, 0, 255}), To(4, 4)), Pointwise(FloatNear(1e-6f), expected));
}

// By a factor of 2 sigma is 1/2 and the Gaussian 5 pixels wide: 1, e^-2 and e^-8 over their sum, 1.271341.
// The first place lies between pixels 0 and 1, the second between 2 and 3.
TEST(TransformForOwlv2, SmoothsWhatItShrinks) {
  const float near = .5f * 1.135335f / 1.271341f, far = .5f * .000335463f / 1.271341f;
  EXPECT_THAT(Plane(Gray(4, 4, {255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0}), To(2, 2)),
              Pointwise(FloatNear(1e-6f), std::vector<float>{near, far, near, far}));
}

TEST(TransformForOwlv2, OfOneColourIsThatColourWhateverTheSizes) {
  for (const int side : {1, 2, 7, 50}) {
    const RgbImage image = Gray(side, side, std::vector<uint8_t>(static_cast<size_t>(side * side), 51));
    for (const ImageSize size : {ImageSize{1, 1}, ImageSize{3, 5}, ImageSize{64, 2}}) {
      for (const float value : Plane(image, To(size.width, size.height))) EXPECT_NEAR(value, .2f, 1e-6f);
    }
  }
}

TEST(TransformForOwlv2, RefusesWhatItCannotRead) {
  const RgbImage image = Gray(2, 1, {1, 2});
  RgbImage torn = image;
  torn.pixels.pop_back();
  EXPECT_TRUE(absl::IsInvalidArgument(TransformForOwlv2(torn, To(2, 2)).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(TransformForOwlv2(RgbImage(), To(2, 2)).status()));
  EXPECT_THAT(std::string(TransformForOwlv2(image, To(0, 2)).status().message()), HasSubstr("0x2"));
  Owlv2Transform transform = To(2, 2);
  transform.pad_value = std::numeric_limits<float>::infinity();
  EXPECT_THAT(std::string(TransformForOwlv2(image, transform).status().message()), HasSubstr("inf"));
  transform = To(2, 2);
  transform.norm.stddev[1] = 0;
  EXPECT_TRUE(absl::IsInvalidArgument(TransformForOwlv2(image, transform).status()));
}

}  // namespace
}  // namespace lvrpo
