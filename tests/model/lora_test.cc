#include "model/weights/lora.h"

#include <cmath>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/merge_lora.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

torch::Tensor LoraLinear(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                         const torch::Tensor& a, const torch::Tensor& b, double scale) {
  return WithLora(torch::linear(x, weight, bias), x, a, b, scale);
}

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Two linear layers, and one of everything that is none.
TensorMap SomeModel() {
  torch::manual_seed(1);
  return {
      {"layers.0.up.weight", torch::randn({6, 5})},
      {"layers.0.up.bias", torch::randn({6})},
      {"layers.1.up.weight", torch::randn({7, 5})},
      {"layers.1.norm.weight", torch::ones({6})},
      {"layers.1.conv.weight", torch::randn({4, 5, 3, 3})},
      {"embed_tokens.weight", torch::randn({9, 5})},
      {"patch_embedding.weight", torch::randn({4, 5})},  // a linear layer whatever it is called: has a bias
      {"patch_embedding.bias", torch::randn({4})},
      {"count.weight", torch::ones({4, 4}, torch::kInt64)},
      {"head.probe", torch::randn({4, 4})}};
}

LoraConfig Config(int64_t rank, std::vector<std::string> modules) {
  return {.rank = rank, .alpha = 6, .rslora = false, .modules = std::move(modules)};
}

std::vector<std::string> NamesOf(const TensorMap& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

// SomeModel with adapters of rank 3 on both layers, B random.
TensorMap Adapted() {
  TensorMap tensors = SomeModel();
  EXPECT_TRUE(AddLora(tensors, Config(3, {"up"}), 9).ok());
  for (auto& [name, tensor] : tensors) {
    if (name.ends_with(kLoraB)) tensor = torch::randn_like(tensor);
  }
  return tensors;
}

TEST(LoraScale, DividesAlphaByTheRankOrItsRoot) {
  EXPECT_DOUBLE_EQ(LoraScale({.rank = 16, .alpha = 8, .rslora = false, .modules = {}}), .5);
  EXPECT_DOUBLE_EQ(LoraScale({.rank = 16, .alpha = 8, .rslora = true, .modules = {}}), 2);
}

// --- Adding.

TEST(AddLora, AddsTwoTensorsALayerAndChangesNoOther) {
  const TensorMap before = SomeModel();
  TensorMap tensors = before;
  ASSERT_TRUE(AddLora(tensors, Config(2, {"up", "patch", "!layers.1."}), 9).ok());
  const TensorMap adapters = ExtractLora(tensors);
  EXPECT_THAT(NamesOf(adapters),
              ElementsAre("layers.0.up.lora_A.weight", "layers.0.up.lora_B.weight",
                          "patch_embedding.lora_A.weight", "patch_embedding.lora_B.weight"));
  EXPECT_EQ(adapters.at("layers.0.up.lora_A.weight").sizes(), torch::IntArrayRef({2, 5}));
  EXPECT_EQ(adapters.at("layers.0.up.lora_B.weight").sizes(), torch::IntArrayRef({6, 2}));
  EXPECT_EQ(DigestOf(WithoutLora(tensors)), DigestOf(before));
  EXPECT_EQ(ShapesOf(adapters), *LoraShapes(ShapesOf(before), Config(2, {"up", "patch", "!layers.1."})));
  EXPECT_TRUE(CheckLora(tensors, ShapesOf(before), Config(2, {}), "test").ok());
}

TEST(AddLora, DrawsAUniformlyWithinOneOverTheRootOfTheInputsAndSetsBToZero) {
  TensorMap tensors = {{"wide.weight", torch::zeros({64, 400}, torch::kBFloat16)}};
  ASSERT_TRUE(AddLora(tensors, Config(64, {"wide"}), 3).ok());
  const torch::Tensor a = tensors.at("wide.lora_A.weight"), b = tensors.at("wide.lora_B.weight");
  EXPECT_EQ(a.scalar_type(), torch::kFloat32);
  EXPECT_EQ(b.scalar_type(), torch::kFloat32);
  EXPECT_FALSE(a.requires_grad());
  EXPECT_EQ(b.count_nonzero().item<int64_t>(), 0);
  const double bound = 1 / std::sqrt(400.0);
  EXPECT_LE(a.abs().max().item<double>(), bound * (1 + 1e-6));
  EXPECT_NEAR(a.abs().max().item<double>(), bound, .001 * bound);
  EXPECT_NEAR(a.mean().item<double>(), 0, .02 * bound);
  EXPECT_NEAR(a.std().item<double>(), bound / std::sqrt(3.0), .02 * bound);
}

TEST(AddLora, IsAFunctionOfSeedAndNameAlone) {
  const auto added = [](std::vector<std::string> modules, uint64_t seed) {
    TensorMap tensors = SomeModel();
    torch::manual_seed(static_cast<int64_t>(modules.size()));  // torch's own generator plays no part
    EXPECT_TRUE(AddLora(tensors, Config(2, std::move(modules)), seed).ok());
    return tensors;
  };
  const TensorMap first = added({"layers.0.up"}, 9), more = added({"layers.0.up", "layers.1.up"}, 9),
                  other = added({"layers.0.up"}, 10);
  const std::string name = "layers.0.up.lora_A.weight";
  EXPECT_TRUE(torch::equal(first.at(name), more.at(name)));
  EXPECT_FALSE(torch::equal(first.at(name), other.at(name)));
  EXPECT_FALSE(torch::equal(more.at(name), more.at("layers.1.up.lora_A.weight")));
}

TEST(AddLora, RefusesBadRequestsByNameAndAddsNothing) {
  const struct {
    LoraConfig config;
    std::string words;
  } cases[] = {
      {Config(0, {"up"}), "rank 0 is below 1"},
      {Config(-3, {"up"}), "rank -3 is below 1"},
      {Config(6, {"up"}), "rank 6 is above the smaller side of layers.0.up [6,5]"},
      {{.rank = 2, .alpha = 0, .rslora = false, .modules = {"up"}}, "alpha 0 is not"},
      {{.rank = 2, .alpha = NAN, .rslora = false, .modules = {"up"}}, "alpha nan is not"},
      {{.rank = 2, .alpha = INFINITY, .rslora = true, .modules = {"up"}}, "alpha inf is not"},
      {Config(2, {}), "no pattern says which layers"},
      {Config(2, {"!up"}), "no pattern says which layers"},
      {Config(2, {""}), "the pattern '' is empty"},
      {Config(2, {"up", "!"}), "the pattern '!' is empty"},
      {Config(2, {"up", "down"}), "no layer matches the pattern 'down'"},
      {Config(2, {"up", "!down"}), "no layer matches the pattern '!down'"},
      {Config(2, {"up", "layers.1.up", "!layers.1"}), "no layer matches the pattern 'layers.1.up'"},
      {Config(2, {"up.weight"}), "no layer matches the pattern 'up.weight'"},
      {Config(2, {"up", "norm"}),
       "layers.1.norm is matched but is no linear layer: it has a weight of shape [6]"},
      {Config(2, {"conv"}),
       "layers.1.conv is matched but is no linear layer: it has a weight of shape [4,5,3,3]"},
      {Config(2, {"embed"}), "embed_tokens is matched but is no linear layer: it is a table of embeddings"},
      {Config(2, {"head"}), "head is matched but is no linear layer: it has no .weight"},
      {Config(2, {"count"}), "count.weight holds no floating-point numbers"},
  };
  for (const auto& [config, words] : cases) {
    TensorMap tensors = SomeModel();
    const absl::Status status = AddLora(tensors, config, 1);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
    EXPECT_EQ(DigestOf(tensors), DigestOf(SomeModel())) << words;
  }
  TensorMap tensors = SomeModel();
  EXPECT_THAT(std::string(AddLora(tensors, Config(0, {"norm", "down"}), 1).message()),
              AllOf(HasSubstr("rank 0"), HasSubstr("layers.1.norm"), HasSubstr("'down'")));
}

TEST(AddLora, RefusesASecondAdapter) {
  TensorMap tensors = Adapted();
  const absl::Status status = AddLora(tensors, Config(2, {"patch"}), 1);
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("layers.0.up.lora_A.weight"));
}

// --- Checking.

TEST(CheckLora, NamesEverythingThatIsWrong) {
  const auto check = [](const std::function<void(TensorMap&)>& damage, int64_t rank = 3) {
    TensorMap tensors = Adapted();
    damage(tensors);
    return CheckLora(tensors, ShapesOf(SomeModel()), Config(rank, {}), "file");
  };
  EXPECT_TRUE(check([](TensorMap&) {}).ok());
  const struct {
    std::function<void(TensorMap&)> damage;
    std::string words;
  } cases[] = {
      {[](TensorMap& t) { t.erase("layers.0.up.lora_B.weight"); },
       "missing tensors 1 (layers.0.up.lora_B.weight)"},
      {[](TensorMap& t) { t.erase("layers.1.up.lora_A.weight"); },
       "missing tensors 1 (layers.1.up.lora_A.weight)"},
      {[](TensorMap& t) {
         t["layers.0.up.lora_A.weight"] = torch::zeros({3, 6});
       },
       "layers.0.up.lora_A.weight [3,6] instead of [3,5]"},
      {[](TensorMap& t) {
         t["layers.0.up.lora_B.weight"] = torch::zeros({6, 2});
       },
       "layers.0.up.lora_B.weight [6,2] instead of [6,3]"},
      {[](TensorMap& t) { t["layers.0.up.lora_B.weight"] = torch::tensor(1.f); }, "[] instead of [6,3]"},
      {[](TensorMap& t) {
         t["layers.7.up.lora_A.weight"] = torch::zeros({3, 5});
       },
       "unexpected tensors 1 (layers.7.up.lora_A.weight)"},
      {[](TensorMap& t) {
         t["layers.1.norm.lora_A.weight"] = torch::zeros({3, 5});
       },
       "unexpected tensors 1 (layers.1.norm.lora_A.weight)"},
      {[](TensorMap& t) { t["layers.0.up.lora_B.bias"] = torch::zeros({6}); }, "layers.0.up.lora_B.bias"},
      {[](TensorMap& t) { t[".lora_"] = torch::zeros({6}); }, "unexpected tensors 1 (.lora_)"},
      {[](TensorMap& t) {
         t["layers.0.up.lora_B.weight"] = torch::zeros({6, 3}, torch::kInt64);
       },
       "dtype I64"},
      {[](TensorMap& t) { t = SomeModel(); }, "file holds no LoRA adapter"},
  };
  for (const auto& [damage, words] : cases) {
    const absl::Status status = check(damage);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(words), HasSubstr("file")));
    TensorMap tensors = Adapted();
    damage(tensors);
    EXPECT_TRUE(absl::IsDataLoss(MergeLora(tensors, Config(3, {})).status())) << words;
  }
  EXPECT_THAT(std::string(check([](TensorMap&) {}, 2).message()),
              AllOf(HasSubstr("layers.0.up.lora_A.weight [3,5] instead of [2,5]"), HasSubstr("layers.1.up")));
}

// --- Merging.

TEST(MergeLora, AddsTheScaledProductAndLeavesThePlainModelsTensors) {
  const TensorMap base = SomeModel();
  TensorMap tensors = Adapted();
  for (const bool rslora : {false, true}) {
    const LoraConfig config{.rank = 3, .alpha = 6, .rslora = rslora, .modules = {}};
    tensors.at("layers.0.up.lora_B.weight").requires_grad_();
    const auto merged = MergeLora(tensors, config);
    ASSERT_TRUE(merged.ok()) << merged.status();
    EXPECT_EQ(ShapesOf(*merged), ShapesOf(base));
    for (const auto& [name, tensor] : *merged) {
      const std::string module = name.substr(0, name.rfind('.'));
      const auto a = tensors.find(module + kLoraA);
      if (!name.ends_with("up.weight")) {
        EXPECT_TRUE(tensor.is_same(tensors.at(name))) << name;
        continue;
      }
      EXPECT_FALSE(tensor.requires_grad()) << name;
      EXPECT_TRUE(torch::equal(tensors.at(name), base.at(name))) << name;  // the base is not written
      const torch::Tensor product = torch::matmul(tensors.at(module + kLoraB).detach(), a->second);
      EXPECT_TRUE(Close((tensor - base.at(name)) / (rslora ? 6 / std::sqrt(3.0) : 2), product, 1e-6)) << name;
    }
  }
}

TEST(MergeLora, RoundsOnceToTheLayersDtype) {
  for (const torch::Dtype dtype : {torch::kBFloat16, torch::kFloat16, torch::kFloat64}) {
    TensorMap tensors = Adapted();
    torch::Tensor& weight = tensors.at("layers.1.up.weight");
    weight = weight.to(dtype);
    const auto merged = MergeLora(tensors, Config(3, {}));
    ASSERT_TRUE(merged.ok()) << merged.status();
    const torch::Tensor& got = merged->at("layers.1.up.weight");
    ASSERT_EQ(got.scalar_type(), dtype);
    const torch::Tensor exact =
        weight.to(torch::kFloat64) +
        2 * torch::matmul(tensors.at("layers.1.up.lora_B.weight").to(torch::kFloat64),
                          tensors.at("layers.1.up.lora_A.weight").to(torch::kFloat64));
    const double half_step = dtype == torch::kBFloat16  ? 0x1p-8
                             : dtype == torch::kFloat16 ? 0x1p-11
                                                        : 0x1p-50;
    const torch::Tensor error = (got.to(torch::kFloat64) - exact).abs();
    EXPECT_TRUE((error <= (exact.abs() + .01) * half_step * 1.01).all().item<bool>()) << error;
  }
}

// --- The layer.

struct LayerInputs {
  torch::Tensor x, weight, bias, a, b;
};
LayerInputs Inputs(torch::Dtype dtype) {
  torch::manual_seed(4);
  const auto options = torch::TensorOptions(dtype);
  return {torch::randn({2, 3, 5}, options), torch::randn({6, 5}, options), torch::randn({6}, options),
          torch::randn({2, 5}, options), torch::randn({6, 2}, options)};
}

TEST(WithLora, IsTorchLinearToTheBitWithoutAdapter) {
  const auto [x, weight, bias, a, b] = Inputs(torch::kFloat32);
  EXPECT_TRUE(torch::equal(LoraLinear(x, weight, bias, {}, {}, 2), torch::linear(x, weight, bias)));
  EXPECT_TRUE(torch::equal(LoraLinear(x, weight, {}, {}, {}, 2), torch::linear(x, weight)));
}

TEST(WithLora, ChangesNothingWhileBIsZero) {
  for (const torch::Dtype dtype : {torch::kFloat32, torch::kBFloat16}) {
    const auto [x, weight, bias, a, b] = Inputs(dtype);
    const torch::Tensor wide = a.to(torch::kFloat32), zero = torch::zeros({6, 2});
    EXPECT_TRUE(torch::equal(LoraLinear(x, weight, bias, wide, zero, 2), torch::linear(x, weight, bias)));
  }
}

TEST(WithLora, GivesTheSameBitsWithAndWithoutGradients) {
  const auto [x, weight, bias, a, b] = Inputs(torch::kFloat32);
  const torch::Tensor plain = LoraLinear(x, weight, bias, a, b, 1.5);
  EXPECT_TRUE(torch::equal(
      LoraLinear(x, weight, bias, a.clone().requires_grad_(), b.clone().requires_grad_(), 1.5), plain));
}

// Value and all gradients are those of one linear layer with W + scale B A.
TEST(WithLora, IsTheMergedLayerWithItsGradients) {
  for (const bool with_bias : {true, false}) {
    const auto run = [&](bool merged) {
      auto [x, weight, bias, a, b] = Inputs(torch::kFloat64);
      for (torch::Tensor* leaf : {&x, &weight, &bias, &a, &b}) leaf->requires_grad_();
      const torch::Tensor none;
      const torch::Tensor y =
          merged ? LoraLinear(x, weight + .7 * torch::matmul(b, a), with_bias ? bias : none, none, none, 0)
                 : LoraLinear(x, weight, with_bias ? bias : none, a, b, .7);
      (y.square() * torch::arange(1, 7)).sum().backward();
      std::vector<torch::Tensor> results = {y.detach(), x.grad(), weight.grad(), a.grad(), b.grad()};
      if (with_bias) results.push_back(bias.grad());
      return results;
    };
    const std::vector<torch::Tensor> separate = run(false), merged = run(true);
    for (size_t i = 0; i < merged.size(); ++i) {
      ASSERT_TRUE(separate[i].defined()) << i;
      EXPECT_GT(separate[i].abs().max().item<double>(), 0) << i;
      EXPECT_TRUE(Close(separate[i], merged[i], 1e-12)) << i;
    }
  }
}

TEST(WithLora, HasTheGradientsOfFiniteDifferences) {
  const LayerInputs inputs = Inputs(torch::kFloat64);
  const auto loss = [&](const torch::Tensor& a, const torch::Tensor& b) {
    return LoraLinear(inputs.x, inputs.weight, inputs.bias, a, b, .7).sin().sum();
  };
  const torch::Tensor a = inputs.a.clone().requires_grad_(), b = inputs.b.clone().requires_grad_();
  loss(a, b).backward();
  torch::NoGradGuard no_grad;
  const double step = 1e-6;
  for (const bool of_a : {true, false}) {
    const torch::Tensor& leaf = of_a ? a : b;
    for (int64_t i = 0; i < leaf.numel(); ++i) {
      torch::Tensor nudge = torch::zeros_like(leaf);
      nudge.view({-1})[i] = step;
      const torch::Tensor difference =
          of_a ? loss(a + nudge, b) - loss(a - nudge, b) : loss(a, b + nudge) - loss(a, b - nudge);
      EXPECT_NEAR(leaf.grad().view({-1})[i].item<double>(), difference.item<double>() / (2 * step), 1e-7);
    }
  }
}

TEST(WithLora, KeepsTheAdaptersPrecisionUnderHalfPrecisionWeights) {
  const LayerInputs half = Inputs(torch::kBFloat16);
  const LayerInputs wide = Inputs(torch::kFloat32);
  const torch::Tensor a = wide.a.clone().requires_grad_(), b = wide.b.clone().requires_grad_();
  const torch::Tensor y = LoraLinear(half.x, half.weight, half.bias, a, b, .7);
  EXPECT_EQ(y.scalar_type(), torch::kBFloat16);
  const torch::Tensor linear = torch::linear(half.x, half.weight, half.bias).to(torch::kFloat32);
  const torch::Tensor change = torch::linear(torch::linear(half.x.to(torch::kFloat32), a), b);
  EXPECT_TRUE(torch::equal(y, torch::add(linear, change, .7).to(torch::kBFloat16)));
  y.sum().backward();
  EXPECT_EQ(a.grad().scalar_type(), torch::kFloat32);
}

// --- The published model.

int64_t CountElements(const ShapeMap& shapes, const std::string& part) {
  int64_t count = 0;
  for (const auto& [name, shape] : shapes) {
    if (name.find(part) == std::string::npos) continue;
    int64_t elements = 1;
    for (const int64_t size : shape) elements *= size;
    count += elements;
  }
  return count;
}

// Worked by hand: rank (in + out) a layer; per block 2 of [3584, 3584] (q, o), 2 of [512, 3584] (k, v) and 3
// of [18944, 3584]: 64 * (2 * 7168 + 2 * 4096 + 3 * 22528) = 5767168, in 28 blocks.
TEST(LoraShapes, OnBagelsGenerationExpertAre161MillionParametersAtRank64) {
  const ShapeMap base = Bagel::ExpectedTensors(BagelConfig{});
  const auto shapes = LoraShapes(base, Config(64, {"_moe_gen", "!norm"}));
  ASSERT_TRUE(shapes.ok()) << shapes.status();
  EXPECT_EQ(shapes->size(), 2u * 7 * 28);
  EXPECT_EQ(CountElements(*shapes, ""), 161480704);
  EXPECT_EQ(CountElements(*shapes, "layers.0."), 5767168);
  // What it adapts, for comparison.
  EXPECT_EQ(CountElements(base, "_proj_moe_gen") + CountElements(base, "mlp_moe_gen"), 6525417472);
}

}  // namespace
}  // namespace lvrpo
