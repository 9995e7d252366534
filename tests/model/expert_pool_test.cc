#include "model/layers/expert_pool.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/expert_seed.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

constexpr char kMlp[] = "language_model.model.layers.0.mlp.";

BagelConfig RoutedConfig(int64_t experts = 8, int64_t per_token = 2) {
  BagelConfig config = TinyConfig();
  config.router = {.top_k = true, .experts = experts, .experts_per_token = per_token};
  return config;
}

// TinyBagel with experts out of its own weights.
TensorMap SeededTensors(const BagelConfig& config = RoutedConfig()) {
  return SeedExperts(config, TinyBagel().tensors(), 3);
}

Bagel SeededBagel() { return *Bagel::Create(RoutedConfig(), SeededTensors(), "test"); }

std::pair<torch::Tensor, torch::Tensor> OutputsOf(const Bagel& model) {
  KvCache context;
  torch::manual_seed(5);
  model.AppendImage(context, torch::rand({1, 3, 8, 8}) * 2 - 1);
  model.AppendPrompt(context, {10, 11});
  const torch::Tensor x_t = torch::randn({3, 6, 4}), t = torch::tensor({.9f, .5f, .1f});
  const torch::Tensor velocity = model.Velocity(context, x_t, t, 2, 3);
  return {velocity, model.Logits(model.AppendTokens(context, Ids({1, 20, 21})))};
}

// The layer's sum over all tokens, one at a time, from the definition.
torch::Tensor ByDefinition(const TensorMap& tensors, const RouterConfig& router, const torch::Tensor& x,
                           TokenKind kind) {
  const auto at = [&](const std::string& name) { return tensors.at(kMlp + name).to(torch::kFloat64); };
  std::vector<torch::Tensor> rows;
  for (int64_t i = 0; i < x.size(0); ++i) {
    const torch::Tensor row = x[i].to(torch::kFloat64);
    const torch::Tensor scores =
        torch::mv(at("gate.weight"), row) + at("gate.modality_bias")[static_cast<int64_t>(kind)];
    const torch::Tensor order = scores.argsort(0, true);
    double total = 0;
    torch::Tensor sum = torch::zeros_like(row);
    for (int64_t k = 0; k < router.experts_per_token; ++k) {
      const int64_t e = order[k].item<int64_t>();
      const double weight = std::exp(scores[e].item<double>());
      const std::string own = "experts." + std::to_string(e) + ".";
      const torch::Tensor wide = torch::silu(torch::mv(at(own + "gate_proj.weight"), row)) *
                                 torch::mv(at(own + "up_proj.weight"), row);
      sum = sum + weight * torch::mv(at(own + "down_proj.weight"), wide);
      total += weight;
    }
    rows.push_back(sum / total);
  }
  return torch::stack(rows);
}

TEST(ExpertPool, IsItsDefinition) {
  for (const auto& [experts, per_token] : {std::pair{8, 2}, {2, 1}, {6, 3}}) {
    SCOPED_TRACE(testing::Message() << experts << " experts, " << per_token << " a token");
    const BagelConfig config = RoutedConfig(experts, per_token);
    TensorMap tensors = SeededTensors(config);
    torch::manual_seed(9);
    for (auto& [name, tensor] : tensors) {
      if (name.find(".mlp.") != std::string::npos) tensor = torch::randn_like(tensor) * .3;
    }
    const ExpertPool pool(tensors, kMlp, config.router, 0, 0);
    const torch::Tensor x = torch::randn({40, config.hidden});
    for (const TokenKind kind : {TokenKind::kUnderstanding, TokenKind::kLatent}) {
      EXPECT_TRUE(Close(pool(x, kind), ByDefinition(tensors, config.router, x, kind).to(torch::kFloat32)));
      EXPECT_TRUE(Close(pool(x.view({5, 8, -1}), kind), pool(x, kind).view({5, 8, -1})));
    }
  }
}

TEST(ExpertPool, GradientsReachGateBiasAndExpertsAndAreRight) {
  const BagelConfig config = RoutedConfig(4, 2);
  TensorMap tensors = SeededTensors(config);
  torch::manual_seed(9);
  for (auto& [name, tensor] : tensors) {
    if (name.find(".mlp.") != std::string::npos)
      tensor = (torch::randn_like(tensor) * .3).to(torch::kFloat64).requires_grad_();
  }
  const torch::Tensor x = torch::randn({60, config.hidden}, torch::kFloat64), weight = torch::randn_like(x);
  const auto loss = [&](const TensorMap& with) {
    return (ExpertPool(with, kMlp, config.router, 0, 0)(x, TokenKind::kLatent) * weight).sum();
  };
  loss(tensors).backward();
  for (const char* name : {"gate.weight", "gate.modality_bias", "experts.0.up_proj.weight",
                           "experts.3.gate_proj.weight", "experts.2.down_proj.weight"}) {
    SCOPED_TRACE(name);
    const torch::Tensor& tensor = tensors.at(std::string(kMlp) + name);
    ASSERT_TRUE(tensor.grad().defined());
    const torch::NoGradGuard no_grad;
    for (const int64_t element : {int64_t{3}, tensor.numel() - 1}) {
      const auto moved = [&](double by) {
        TensorMap with = tensors;
        torch::Tensor other = tensor.detach().clone();
        other.view(-1)[element] += by;
        with[std::string(kMlp) + name] = other;
        return loss(with).item<double>();
      };
      // A step so small that no token changes its experts.
      const double slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
      EXPECT_NEAR(tensor.grad().view(-1)[element].item<double>(), slope,
                  1e-5 * std::max(1.0, std::abs(slope)));
    }
  }
}

TEST(ExpertPool, ATokenDoesNotDependOnItsBatch) {
  const TensorMap tensors = SeededTensors();
  const ExpertPool pool(tensors, kMlp, RoutedConfig().router, 0, 0);
  torch::manual_seed(9);
  const torch::Tensor x = torch::randn({64, TinyConfig().hidden});
  const torch::Tensor all = pool(x, TokenKind::kLatent);
  for (const int64_t i : {0, 17, 63})
    EXPECT_TRUE(Close(pool(x.narrow(0, i, 1), TokenKind::kLatent), all.narrow(0, i, 1), 1e-6));
}

TEST(SeedExperts, ComputesWhatTheHardModelDoes) {
  const torch::NoGradGuard no_grad;
  const auto hard = OutputsOf(TinyBagel()), routed = OutputsOf(SeededBagel());
  EXPECT_TRUE(Close(routed.first, hard.first, 2e-6));
  EXPECT_TRUE(Close(routed.second, hard.second, 2e-6));
}

TEST(SeedExperts, TokensUseTheirKindsCopiesAndSpreadOverThem) {
  const torch::NoGradGuard no_grad;
  const ExpertLoad load;
  (void)OutputsOf(SeededBagel());
  for (const TokenKind kind : {TokenKind::kUnderstanding, TokenKind::kLatent}) {
    EXPECT_GT(load.EffectiveExperts(kind), 2.5);
    EXPECT_LE(load.EffectiveExperts(kind), 4.0001);
    EXPECT_LE(load.LargestShare(kind), .5);
  }
  const TensorMap tensors = SeededTensors();
  for (const char* name : {"experts.0.up_proj.weight", "experts.3.up_proj.weight"})
    EXPECT_TRUE(torch::equal(tensors.at(std::string(kMlp) + name),
                             TinyBagel().tensors().at(std::string(kMlp) + "up_proj.weight")));
  EXPECT_TRUE(
      torch::equal(tensors.at(std::string(kMlp) + "experts.4.up_proj.weight"),
                   TinyBagel().tensors().at("language_model.model.layers.0.mlp_moe_gen.up_proj.weight")));
}

TEST(SeedExperts, CopiesLearnToDiffer) {
  TensorMap tensors = SeededTensors();
  for (auto& [name, tensor] : tensors) tensor.requires_grad_();
  OutputsOf(*Bagel::Create(RoutedConfig(), tensors, "test")).first.square().sum().backward();
  const torch::Tensor first = tensors.at(std::string(kMlp) + "experts.4.up_proj.weight").grad(),
                      second = tensors.at(std::string(kMlp) + "experts.5.up_proj.weight").grad();
  EXPECT_FALSE(first.defined() && second.defined() && torch::allclose(first, second));
}

TEST(ExpertLoad, CountsOnlyWhatItSees) {
  const ExpertLoad outer;
  EXPECT_EQ(outer.EffectiveExperts(TokenKind::kLatent), 0);
  {
    const ExpertLoad inner;
    (void)OutputsOf(SeededBagel());
    EXPECT_GT(inner.LargestShare(TokenKind::kLatent), 0);
  }
  EXPECT_EQ(outer.LargestShare(TokenKind::kLatent), 0);
}

TEST(ExpertLoad, TakesItsCountsBack) {
  ExpertLoad load;
  (void)OutputsOf(SeededBagel());
  const double effective = load.EffectiveExperts(TokenKind::kLatent),
               largest = load.LargestShare(TokenKind::kUnderstanding);
  const int64_t layers = RoutedConfig().layers;
  const std::vector<double> counts = load.Counts(layers, 8);
  EXPECT_EQ(counts.size(), 2 * static_cast<size_t>(layers) * 8);
  load.SetCounts(std::vector<double>(counts.size()), layers, 8);
  EXPECT_EQ(load.LargestShare(TokenKind::kUnderstanding), 0);
  load.SetCounts(counts, layers, 8);
  EXPECT_EQ(load.EffectiveExperts(TokenKind::kLatent), effective);
  EXPECT_EQ(load.LargestShare(TokenKind::kUnderstanding), largest);
}

TEST(RouterConfig, RefusesWhatCannotBe) {
  for (const auto& [experts, per_token, problem] : {std::tuple{8, 2, ""},
                                                    {2, 1, ""},
                                                    {7, 2, "router.experts is 7"},
                                                    {0, 1, "router.experts is 0"},
                                                    {8, 5, "router.experts_per_token is 5"},
                                                    {8, 0, "router.experts_per_token is 0"}}) {
    const RouterConfig router = {.top_k = true, .experts = experts, .experts_per_token = per_token};
    EXPECT_THAT(router.Problem(), testing::StartsWith(problem));
    EXPECT_EQ(router.Problem().empty(), std::string(problem).empty());
  }
}

}  // namespace
}  // namespace lvrpo
