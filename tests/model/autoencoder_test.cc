#include "model/autoencoder.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

AutoencoderConfig TinyAutoencoderConfig() {
  AutoencoderConfig config;
  config.ch = 8, config.ch_mult = {1, 2, 2}, config.num_res_blocks = 1, config.z_channels = 4,
  config.norm_groups = 4;
  return config;
}

Autoencoder TinyAutoencoder(const AutoencoderConfig& config = TinyAutoencoderConfig()) {
  TensorMap tensors = Autoencoder::RandomInit(config, 5);
  Scramble(tensors, 6);
  return *Autoencoder::Create(config, tensors, "test");
}

torch::Tensor Image(int64_t images) {
  torch::manual_seed(51);
  return torch::rand({images, 3, 12, 20}) * 2 - 1;
}

TEST(Autoencoder, ShrinksAndGrowsImagesOfAnyShapeByItsFactor) {
  torch::NoGradGuard no_grad;
  const Autoencoder autoencoder = TinyAutoencoder();
  EXPECT_EQ(autoencoder.config().downsample(), 4);
  const Autoencoder::Moments moments = autoencoder.Encode(Image(2));
  EXPECT_EQ(moments.mean.sizes(), torch::IntArrayRef({2, 4, 3, 5}));
  EXPECT_EQ(moments.logvar.sizes(), torch::IntArrayRef({2, 4, 3, 5}));
  EXPECT_EQ(autoencoder.Decode(moments.mean).sizes(), torch::IntArrayRef({2, 3, 12, 20}));
}

TEST(Autoencoder, TreatsEveryImageAlone) {
  torch::NoGradGuard no_grad;
  const Autoencoder autoencoder = TinyAutoencoder();
  const torch::Tensor latents = autoencoder.Encode(Image(3)).mean;
  EXPECT_TRUE(Close(autoencoder.Encode(Image(3).narrow(0, 1, 1)).mean, latents.narrow(0, 1, 1)));
  EXPECT_TRUE(
      Close(autoencoder.Decode(latents.narrow(0, 1, 1)), autoencoder.Decode(latents).narrow(0, 1, 1)));
}

TEST(Autoencoder, DecodeUndoesNormalizeWhateverItsScaleAndShift) {
  torch::NoGradGuard no_grad;
  AutoencoderConfig config = TinyAutoencoderConfig();
  config.scale_factor = 1, config.shift_factor = 0;
  const Autoencoder plain = TinyAutoencoder(config);
  config.scale_factor = .5, config.shift_factor = .25;
  const Autoencoder scaled = TinyAutoencoder(config);
  const torch::Tensor raw = plain.Encode(Image(1)).mean;
  EXPECT_TRUE(torch::equal(plain.Normalize(raw), raw));
  EXPECT_TRUE(Close(scaled.Normalize(raw), .5 * (raw - .25), 1e-6));
  EXPECT_TRUE(Close(scaled.Decode(scaled.Normalize(raw)), plain.Decode(raw)));
}

TEST(Autoencoder, NamesTheTensorThatDoesNotFit) {
  TensorMap tensors = Autoencoder::RandomInit(TinyAutoencoderConfig(), 5);
  tensors["decoder.conv_in.weight"] = torch::zeros({16, 3, 3, 3});
  const absl::Status status =
      Autoencoder::Create(TinyAutoencoderConfig(), tensors, "ae.safetensors").status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("decoder.conv_in.weight [16,3,3,3] instead of [16,4,3,3]"));
}

TEST(AutoencoderConfig, ReadsBackWhatItWrites) {
  const AutoencoderConfig config = TinyAutoencoderConfig();
  const auto back = AutoencoderConfig::FromJson(config.ToJson(), "test");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->ToJson(), config.ToJson());
}

TEST(Patchify, IsUndoneByUnpatchify) {
  torch::manual_seed(52);
  const torch::Tensor latent = torch::randn({2, 4, 6, 10});
  for (const int64_t p : {1, 2}) {
    const torch::Tensor tokens = Patchify(latent, p);
    EXPECT_EQ(tokens.sizes(), torch::IntArrayRef({2, 60 / (p * p), 4 * p * p}));
    EXPECT_TRUE(torch::equal(Unpatchify(tokens, p, 6 / p, 10 / p), latent));
  }
}

TEST(Patchify, OrdersATokenByRowColumnChannel) {
  // One image of 2 channels, 2 x 4; the value says channel, row, column.
  torch::Tensor latent = torch::empty({1, 2, 2, 4});
  for (int64_t c = 0; c < 2; ++c)
    for (int64_t y = 0; y < 2; ++y)
      for (int64_t x = 0; x < 4; ++x) latent[0][c][y][x] = static_cast<double>(100 * c + 10 * y + x);
  EXPECT_TRUE(torch::equal(Patchify(latent, 2),
                           torch::tensor({{{0.f, 100.f, 1.f, 101.f, 10.f, 110.f, 11.f, 111.f},
                                           {2.f, 102.f, 3.f, 103.f, 12.f, 112.f, 13.f, 113.f}}})));
}

TEST(Pixels, AreTruncatedAndClampedToBytes) {
  // Two pixels: -1 -> 0, 1 -> 255, 0 -> 127.5 -> 127; outside [-1, 1] is cut off.
  const torch::Tensor image = torch::tensor({-1.f, 1.f, 0.f, -7.f, .5f, 7.f}).view({1, 3, 1, 2});
  const torch::Tensor bytes = ToUint8(image);
  ASSERT_EQ(bytes.sizes(), torch::IntArrayRef({1, 1, 2, 3}));
  const std::vector<RgbImage> images = ToRgbImages(image);
  ASSERT_EQ(images.size(), 1u);
  EXPECT_EQ(images[0].width, 2);
  EXPECT_EQ(images[0].height, 1);
  EXPECT_EQ(images[0].pixels,
            (std::vector<uint8_t>{0, 127, 191, 255, 0, 255}));  // channels last; .75 * 255 = 191.25
}

TEST(Pixels, OfImagesReachFromMinusOneToOneChannelFirst) {
  const RgbImage first{2, 1, {0, 51, 255, 255, 102, 0}}, second{2, 1, {0, 0, 0, 255, 255, 255}};
  const torch::Tensor pixels = FromRgbImages({first, second});
  ASSERT_EQ(pixels.sizes(), torch::IntArrayRef({2, 3, 1, 2}));
  EXPECT_TRUE(Close(
      pixels,
      torch::tensor({-1.f, 1.f, -.6f, -.2f, 1.f, -1.f, -1.f, 1.f, -1.f, 1.f, -1.f, 1.f}).view({2, 3, 1, 2}),
      1e-6));
}

TEST(Pixels, OfImagesThatMakeNoBatchAreRefused) {
  const RgbImage small{2, 1, {0, 51, 255, 255, 102, 0}}, tall{1, 2, {0, 0, 0, 255, 255, 255}};
  const RgbImage large{64, 64, std::vector<uint8_t>(64 * 64 * 3)};
  for (const std::vector<RgbImage>& images :
       std::vector<std::vector<RgbImage>>{{},
                                          {small, large},
                                          {large, small},
                                          {small, tall},  // as many bytes, another shape
                                          {RgbImage{2, 1, {1, 2, 3}}},
                                          {small, RgbImage{2, 1, std::vector<uint8_t>(60)}},
                                          {RgbImage{0, 0, {}}},
                                          {RgbImage{-1, -2, std::vector<uint8_t>(6)}}}) {
    EXPECT_THROW(FromRgbImages(images), c10::Error);
  }
}

}  // namespace
}  // namespace lvrpo
