#include "model/layers/sourced_layers.h"

#include "gtest/gtest.h"
#include "model/layers/decoder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

// Gives out copies of a model's layers, and adds up their gradients.
class CopyingSource final : public LayerSource {
 public:
  explicit CopyingSource(TensorMap tensors) : tensors_(std::move(tensors)) {}
  TensorMap Gather(int64_t layer, Halves halves) override {
    ++gathers;
    TensorMap given;
    for (const auto& [name, tensor] : tensors_) {
      const bool gen = name.find("_moe_gen") != std::string::npos;
      if (Bagel::LayerOf(name) == layer && (gen ? halves.gen : halves.und))
        given[name] = tensor.detach().clone();
    }
    return given;
  }
  bool IsTrained(const std::string& name) const override { return name.find(frozen) == std::string::npos; }
  void AddGradients(int64_t, Halves, const TensorMap& added) override {
    ++scatters;
    for (const auto& [name, gradient] : added) {
      if (!gradient.defined()) continue;
      gradients[name] = gradients.contains(name) ? gradients[name] + gradient : gradient;
    }
  }

  std::string frozen = "nothing is";
  int64_t gathers = 0, scatters = 0;
  TensorMap gradients;

 private:
  const TensorMap tensors_;
};

DecoderConfig Config() {
  const BagelConfig c = TinyConfig();
  return {.layers = c.layers,
          .hidden = c.hidden,
          .mlp = c.mlp,
          .heads = c.heads,
          .kv_heads = c.kv_heads,
          .rotary_in_fp32 = false};
}

TensorMap Weights(torch::Dtype dtype) {
  const Bagel model = TinyBagel();
  TensorMap weights;
  for (const auto& [name, tensor] : model.tensors()) {
    if (name.starts_with("language_model.model.")) weights[name] = tensor.to(dtype).requires_grad_(true);
  }
  return weights;
}

// A loss of a context that grows twice, then of both streams against it: text and image passes in one graph.
torch::Tensor LossOf(const Decoder& decoder, const torch::Tensor& x) {
  KvCache context;
  const auto positions = [](int64_t begin, int64_t count) {
    return torch::arange(begin, begin + count).unsqueeze(0);
  };
  for (int64_t i = 0; i < 2; ++i) {
    const Decoder::Segment segment = {&context, 2};
    KvCache grown;
    decoder.Run({.und = x.narrow(1, 2 * i, 2), .gen = {}}, positions(2 * i, 2), {&segment, 1}, &grown);
    context = std::move(grown);
  }
  const Decoder::Segment segment = {&context, 2};
  const Decoder::Streams out = decoder.Run({.und = x.narrow(1, 4, 2), .gen = x.narrow(1, 6, 3)},
                                           positions(4, 5), {&segment, 1}, nullptr);
  return out.gen.sin().sum() + out.und.square().mean();
}

torch::Tensor Input(torch::Dtype dtype) {
  torch::manual_seed(4);
  return torch::randn({2, 9, TinyConfig().hidden}, dtype).requires_grad_(true);
}

TEST(SourcedLayers, HaveTheBitsOfLayersThatAreKept) {
  const TensorMap weights = Weights(torch::kFloat32);
  const torch::Tensor x = Input(torch::kFloat32), again = Input(torch::kFloat32);
  const torch::Tensor kept = LossOf(Decoder(Config(), weights, "language_model.", "_moe_gen"), x);
  kept.backward();
  CopyingSource source(weights);
  const Decoder sourced(Config(), weights, "language_model.", "_moe_gen", &source);
  {
    torch::NoGradGuard no_grad;
    EXPECT_TRUE(torch::equal(LossOf(sourced, again), kept));
    EXPECT_EQ(source.gathers, 3 * Config().layers);
    EXPECT_EQ(source.scatters, 0);
  }
  source.gathers = 0;
  const torch::Tensor loss = LossOf(sourced, again);
  EXPECT_TRUE(torch::equal(loss, kept));
  loss.backward();
  EXPECT_TRUE(torch::equal(again.grad(), x.grad()));
  // Two gathers and one scatter of each layer in each of three passes.
  EXPECT_EQ(source.gathers, 2 * 3 * Config().layers);
  EXPECT_EQ(source.scatters, 3 * Config().layers);
  int64_t compared = 0;
  for (const auto& [name, weight] : weights) {
    if (!Bagel::LayerOf(name).has_value()) continue;
    ASSERT_EQ(source.gradients.contains(name), weight.grad().defined()) << name;
    if (!weight.grad().defined()) continue;
    EXPECT_TRUE(torch::equal(source.gradients.at(name), weight.grad())) << name;
    compared += weight.grad().count_nonzero().item<int64_t>();
  }
  EXPECT_GT(compared, 1000);
}

TEST(SourcedLayers, GiveGradientsOfTrainedTensorsAlone) {
  const TensorMap weights = Weights(torch::kFloat32);
  CopyingSource source(weights);
  source.frozen = "mlp";
  LossOf(Decoder(Config(), weights, "language_model.", "_moe_gen", &source), Input(torch::kFloat32).detach())
      .backward();
  EXPECT_FALSE(source.gradients.empty());
  for (const auto& [name, gradient] : source.gradients)
    EXPECT_EQ(name.find("mlp"), std::string::npos) << name;
}

// In fp64: a step along a random direction changes the loss as the gradients say.
TEST(SourcedLayers, HaveTheGradientsThatFiniteDifferencesShow) {
  const TensorMap weights = Weights(torch::kFloat64);
  const torch::Tensor x = Input(torch::kFloat64);
  CopyingSource source(weights);
  LossOf(Decoder(Config(), weights, "language_model.", "_moe_gen", &source), x).backward();
  torch::manual_seed(8);
  const torch::NoGradGuard no_grad;
  for (const auto& [name, gradient] : source.gradients) {
    const torch::Tensor direction = torch::randn_like(gradient);
    const auto at = [&](double step) {
      TensorMap moved = weights;
      moved[name] = weights.at(name) + step * direction;
      CopyingSource there(moved);
      return LossOf(Decoder(Config(), moved, "language_model.", "_moe_gen", &there), x).item<double>();
    };
    const double slope = (at(1e-5) - at(-1e-5)) / 2e-5,
                 expected = (gradient * direction).sum().item<double>();
    EXPECT_NEAR(slope, expected, 1e-6 * (1 + std::abs(expected))) << name;
  }
}

}  // namespace
}  // namespace lvrpo
