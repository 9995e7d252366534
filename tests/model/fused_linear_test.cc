#include "model/kernels/fused_linear.h"

#include "gtest/gtest.h"
#include "model/kernels/fused_ops.h"

namespace lvrpo {
namespace {

std::vector<LinearWeights> RandomParts(std::vector<int64_t> outs, int64_t in, bool biases) {
  std::vector<LinearWeights> parts;
  for (const int64_t out : outs)
    parts.push_back({torch::randn({out, in}), biases ? torch::randn({out}) : torch::Tensor()});
  return parts;
}

torch::Tensor ByTorch(const std::vector<LinearWeights>& parts, const torch::Tensor& x) {
  std::vector<torch::Tensor> outs;
  for (const auto& [weight, bias] : parts) {
    outs.push_back(torch::linear(x, weight.to(x.scalar_type()),
                                 bias.defined() ? bias.to(x.scalar_type()) : torch::Tensor()));
  }
  return torch::cat(outs, -1);
}

class FusedLinearTest : public ::testing::Test {
 protected:
  void SetUp() override { torch::manual_seed(8); }
};

TEST_F(FusedLinearTest, ConcatenatesItsParts) {
  for (const bool biases : {true, false}) {
    for (const std::vector<int64_t>& outs : {std::vector<int64_t>{24}, {24, 7, 7}, {33, 33}}) {
      const std::vector<LinearWeights> parts = RandomParts(outs, 20, biases);
      const torch::Tensor x = torch::randn({3, 5, 20});
      const torch::Tensor got = FusedLinear(parts)(x), expected = ByTorch(parts, x.to(torch::kFloat64));
      ASSERT_EQ(got.sizes(), expected.sizes());
      EXPECT_LT((got - expected).abs().max().item<double>(), 2e-5);
    }
  }
}

TEST_F(FusedLinearTest, TakesPartsWithAndWithoutBiasAndNoRows) {
  std::vector<LinearWeights> parts = RandomParts({6, 5}, 10, true);
  parts[0].bias = torch::Tensor();
  const FusedLinear layer(parts);
  const torch::Tensor x = torch::randn({4, 10});
  EXPECT_TRUE(torch::allclose(layer(x), ByTorch(parts, x), 1e-5, 1e-5));
  EXPECT_EQ(layer(x.narrow(0, 0, 0)).sizes(), (std::vector<int64_t>{0, 11}));
}

TEST_F(FusedLinearTest, DoesNotPackLargeLayers) {
  const int64_t before = FusedLinear::PackedBytes(), in = 1024,
                out = FusedLinear::kMostWeightBytes / 4 / in + 1;
  const torch::Tensor weight = torch::ones({out, in}), x = torch::ones({2, in});
  const FusedLinear layer({{weight, {}}});
  EXPECT_EQ(layer(x)[1][out - 1].item<float>(), 1024);
  EXPECT_EQ(FusedLinear::PackedBytes(), before);
}

TEST_F(FusedLinearTest, MatchesTorchsGradients) {
  for (const bool biases : {true, false}) {
    std::vector<LinearWeights> parts = RandomParts({9, 4}, 12, biases), wide = parts;
    for (size_t i = 0; i < parts.size(); ++i) {
      for (auto [narrow, other] :
           {std::pair{&parts[i].weight, &wide[i].weight}, {&parts[i].bias, &wide[i].bias}}) {
        if (!narrow->defined()) continue;
        *other = narrow->to(torch::kFloat64).requires_grad_();
        narrow->requires_grad_();
      }
    }
    torch::Tensor x = torch::randn({6, 12}), wide_x = x.to(torch::kFloat64);
    x.requires_grad_(), wide_x.requires_grad_();
    const FusedLinear layer(parts);
    layer(x).sin().sum().backward();
    ByTorch(wide, wide_x).sin().sum().backward();
    EXPECT_TRUE(torch::allclose(x.grad().to(torch::kFloat64), wide_x.grad(), 1e-4, 1e-5));
    for (size_t i = 0; i < parts.size(); ++i) {
      EXPECT_TRUE(
          torch::allclose(parts[i].weight.grad().to(torch::kFloat64), wide[i].weight.grad(), 1e-4, 1e-5));
      if (!biases) continue;
      EXPECT_TRUE(torch::allclose(parts[i].bias.grad().to(torch::kFloat64), wide[i].bias.grad(), 1e-4, 1e-5));
    }
  }
}

TEST_F(FusedLinearTest, GradientsOutliveTheLayer) {
  torch::Tensor x = torch::randn({4, 6}).requires_grad_();
  torch::Tensor y;
  {
    const FusedLinear layer(RandomParts({5}, 6, true));
    y = layer(x);
  }
  y.sum().backward();
  EXPECT_TRUE(x.grad().defined());
}

TEST_F(FusedLinearTest, GivesTheSameBitsWithAndWithoutGradients) {
  std::vector<LinearWeights> parts = RandomParts({16, 8, 8}, 24, true);
  const torch::Tensor x = torch::randn({50, 24}), plain = FusedLinear(parts)(x);
  for (LinearWeights& part : parts) part.weight.requires_grad_();
  EXPECT_TRUE(torch::equal(FusedLinear(parts)(x), plain));
}

TEST_F(FusedLinearTest, SeesWeightsThatChangeInPlace) {
  const std::vector<LinearWeights> parts = RandomParts({8, 8}, 16, true);
  const FusedLinear layer(parts);
  const torch::Tensor x = torch::randn({3, 16});
  layer(x);
  parts[1].weight.mul_(2);
  parts[0].bias.add_(1);
  EXPECT_TRUE(torch::allclose(layer(x), ByTorch(parts, x), 1e-5, 1e-5));
}

TEST_F(FusedLinearTest, FreesItsPackedCopies) {
  const int64_t before = FusedLinear::PackedBytes();
  {
    const FusedLinear layer(RandomParts({8}, 16, true));
    layer(torch::randn({3, 16}));
    layer(torch::randn({3, 16}));
    EXPECT_LE(FusedLinear::PackedBytes() - before, 32 * 16 * 4);
  }
  EXPECT_EQ(FusedLinear::PackedBytes(), before);
}

TEST_F(FusedLinearTest, ComputesInTheWeightsDtype) {
  std::vector<LinearWeights> parts = RandomParts({8, 4}, 16, true);
  for (auto& [weight, bias] : parts) weight = weight.to(torch::kBFloat16), bias = bias.to(torch::kBFloat16);
  const torch::Tensor x = torch::randn({3, 16}).to(torch::kBFloat16);
  EXPECT_TRUE(torch::equal(FusedLinear(parts)(x), ByTorch(parts, x)));
}

TEST_F(FusedLinearTest, MlpIsTheSameBitsInRowBlocks) {
  // Enough rows for row blocks without gradients; the last block is partial.
  const int64_t rows = 4 * 96 * at::get_num_threads() + 17;
  for (const Activation activation : {Activation::kSwiGlu, Activation::kGelu}) {
    std::vector<LinearWeights> first = RandomParts({40, 40}, 24, false),
                               second = RandomParts({24}, activation == Activation::kSwiGlu ? 40 : 80, true);
    const torch::Tensor x = torch::randn({rows, 24});
    const torch::Tensor plain = FusedLinear::Mlp(FusedLinear(first), activation, FusedLinear(second), x);
    const torch::Tensor wide = Activate(activation, ByTorch(first, x.to(torch::kFloat64)));
    EXPECT_LT((plain - ByTorch(second, wide)).abs().max().item<double>(), 1e-3);
    second[0].weight.requires_grad_();
    EXPECT_TRUE(
        torch::equal(FusedLinear::Mlp(FusedLinear(first), activation, FusedLinear(second), x), plain));
  }
}

}  // namespace
}  // namespace lvrpo
