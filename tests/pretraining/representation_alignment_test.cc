#include "pretraining/representation_alignment.h"

#include "gtest/gtest.h"
#include "model/autoencoder.h"

namespace lvrpo {
namespace {

Siglip TinyReferee() {
  SiglipConfig config;
  config.vision = {.width = 16, .layers = 1, .heads = 2, .mlp = 24};
  config.text = {.width = 16, .layers = 1, .heads = 2, .mlp = 24};
  config.image_size = 64, config.patch_size = 8, config.vocabulary = 30, config.text_length = 6;
  config.projection = 16;
  return *Siglip::Create(config, Siglip::RandomInit(config, 5), "test");
}

// Two images: plain, and with a bright lower right quarter.
std::vector<RgbImage> Images() {
  RgbImage plain = {64, 64, std::vector<uint8_t>(64 * 64 * 3, 90)}, marked = plain;
  for (size_t y = 32; y < 64; ++y) {
    for (size_t x = 32; x < 64; ++x) marked.pixels[(y * 64 + x) * 3] = 250;
  }
  return {plain, marked};
}

TEST(RepresentationAlignment, TargetsAreTheTokensPooledInPlace) {
  const Siglip referee = TinyReferee();
  const torch::Tensor targets = AlignmentTargets(referee, Images(), 4, 2);
  ASSERT_EQ(targets.sizes(), (std::vector<int64_t>{2, 8, 16}));
  EXPECT_FALSE(targets.requires_grad());
  // Rows 2 and 3, columns 4 to 7 of the 8 x 8 tokens make latent (1, 1).
  const torch::Tensor tokens = referee.VisionTokens(FromRgbImages(Images())).view({2, 8, 8, 16});
  const torch::Tensor expected = tokens.narrow(1, 2, 2).narrow(2, 4, 4).mean({1, 2});
  EXPECT_TRUE(torch::allclose(targets.select(1, 3), expected, 1e-5, 1e-6));
}

TEST(RepresentationAlignment, LossIsZeroAtTheTargetAndTrainsHeadAndHiddenStates) {
  TensorMap head = InitAlignmentHead(12, 16, 3);
  for (auto& [name, tensor] : head) tensor.requires_grad_();
  torch::manual_seed(2);
  const torch::Tensor hidden = torch::randn({2, 8, 12}).requires_grad_();
  const torch::Tensor targets = torch::randn({2, 8, 16});
  const torch::Tensor loss = AlignmentLoss(head, hidden, targets);
  loss.backward();
  EXPECT_TRUE(hidden.grad().defined());
  for (const auto& [name, tensor] : head) EXPECT_TRUE(tensor.grad().defined()) << name;

  const torch::NoGradGuard no_grad;
  const torch::Tensor moved = hidden - 0.1 * hidden.grad();
  EXPECT_LT(AlignmentLoss(head, moved, targets).item<double>(), loss.item<double>());
  // By hand: W2 silu(W1 x + b1) + b2.
  const torch::Tensor wide = torch::silu(torch::linear(hidden, head.at("representation_alignment.in.weight"),
                                                       head.at("representation_alignment.in.bias")));
  const torch::Tensor projected = torch::linear(wide, head.at("representation_alignment.out.weight"),
                                                head.at("representation_alignment.out.bias"));
  EXPECT_NEAR(loss.item<double>(), (projected - targets).square().mean().item<double>(), 1e-6);
  EXPECT_EQ(AlignmentLoss(head, hidden, projected).item<double>(), 0);
}

}  // namespace
}  // namespace lvrpo
