#include "model/owlv2.h"

#include <cmath>
#include <limits>

#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Owlv2Config TinyOwlConfig() {
  Owlv2Config config;
  config.vision = {.width = 16, .layers = 2, .heads = 2, .mlp = 24};
  config.text = {.width = 12, .layers = 2, .heads = 3, .mlp = 20};
  config.image_size = 14, config.patch_size = 4;  // 3 x 3 patches; two rows and columns of pixels are left
  config.vocabulary = 30, config.text_length = 6, config.projection = 12;
  return config;
}

Owlv2 TinyOwl(const Owlv2Config& config = TinyOwlConfig()) {
  TensorMap tensors = Owlv2::RandomInit(config, 5);
  Scramble(tensors, 6);
  return *Owlv2::Create(config, tensors, "test");
}

torch::Tensor Pixels(int64_t images) {
  torch::manual_seed(41);
  return torch::rand({images, 3, 14, 14}) * 2 - 1;
}

// --- Queries.

TEST(Owlv2Text, EachTokenSeesThoseBeforeItAlone) {
  torch::NoGradGuard no_grad;
  const Owlv2 model = TinyOwl();
  const torch::Tensor ids = Ids({28, 7, 8, 9, 29, 0});
  const torch::Tensor tokens = model.TextTokens(ids);
  ASSERT_EQ(tokens.sizes(), torch::IntArrayRef({1, 6, 12}));
  torch::Tensor changed = ids.clone();
  changed[0][3] = 20;
  const torch::Tensor moved = (model.TextTokens(changed) - tokens).abs().amax(2)[0];
  EXPECT_EQ(moved.narrow(0, 0, 3).max().item<double>(), 0);
  EXPECT_GT(moved.narrow(0, 3, 3).min().item<double>(), 0);
}

TEST(Owlv2Text, IsPooledAtTheFirstOfTheLargestIds) {
  torch::NoGradGuard no_grad;
  const Owlv2 model = TinyOwl();
  const torch::Tensor ids =
      torch::cat({Ids({28, 7, 29, 29, 29, 29}), Ids({28, 7, 8, 9, 10, 29}), Ids({0, 0, 0, 0, 0, 0})});
  const torch::Tensor tokens = model.TextTokens(ids), pooled = model.PoolText(tokens, ids);
  EXPECT_TRUE(torch::equal(pooled[0], tokens[0][2]));
  EXPECT_TRUE(torch::equal(pooled[1], tokens[1][5]));
  EXPECT_TRUE(torch::equal(pooled[2], tokens[2][0]));
}

TEST(Owlv2Text, DoesNotDependOnTokensAfterEosNorOnItsLength) {
  torch::NoGradGuard no_grad;
  const Owlv2 model = TinyOwl();
  const Owlv2Queries whole = model.Queries(Ids({28, 7, 29, 0, 0, 0}).unsqueeze(0)),
                     other = model.Queries(Ids({28, 7, 29, 3, 2, 1}).unsqueeze(0)),
                     cut = model.Queries(Ids({28, 7, 29}).unsqueeze(0));
  EXPECT_TRUE(Close(other.embeds, whole.embeds, 1e-6));
  EXPECT_TRUE(Close(cut.embeds, whole.embeds, 1e-6));
  EXPECT_TRUE(Close(whole.embeds.norm(2, -1), torch::ones({1, 1}), 1e-6));
}

// --- Images.

TEST(Owlv2Image, DropsThePixelsBeyondTheLastWholePatch) {
  torch::NoGradGuard no_grad;
  const Owlv2 model = TinyOwl();
  const torch::Tensor pixels = Pixels(1), tokens = model.EncodeImage(pixels);
  ASSERT_EQ(tokens.sizes(), torch::IntArrayRef({1, 10, 16}));
  torch::Tensor changed = pixels.clone();
  changed.narrow(2, 12, 2).fill_(9);
  changed.narrow(3, 12, 2).fill_(9);
  EXPECT_TRUE(torch::equal(model.EncodeImage(changed), tokens));
}

TEST(Owlv2Image, PatchesAreMultipliedByTheClassToken) {
  torch::NoGradGuard no_grad;
  const Owlv2 model = TinyOwl();
  const torch::Tensor normed = model.PostNorm(model.EncodeImage(Pixels(2)));
  const torch::Tensor merged = model.ImageEmbeds(Pixels(2));
  ASSERT_EQ(merged.sizes(), torch::IntArrayRef({2, 9, 16}));
  const torch::Tensor product = normed[1][4] * normed[1][0];
  EXPECT_TRUE(Close(merged[1][3], LayerNorm(product, model.tensors(), "layer_norm", 1e-5)));
}

// --- Heads.

TEST(Owlv2Predict, FollowsItsDefinition) {
  torch::NoGradGuard no_grad;
  const Owlv2 model = TinyOwl();
  const torch::Tensor image = model.ImageEmbeds(Pixels(2));
  const Owlv2Queries queries =
      model.Queries(torch::stack({Ids({28, 7, 29}), Ids({28, 9, 29}), Ids({28, 11, 29})}, 1));
  const Owlv2Prediction got = model.Predict(image, queries);
  ASSERT_EQ(got.logits.sizes(), torch::IntArrayRef({2, 9, 3}));
  ASSERT_EQ(got.boxes.sizes(), torch::IntArrayRef({2, 9, 4}));
  ASSERT_EQ(got.objectness.sizes(), torch::IntArrayRef({2, 9}));
  const auto linear = [&](const std::string& name, const torch::Tensor& x) {
    return torch::linear(x, model.tensors().at(name + ".weight"), model.tensors().at(name + ".bias"));
  };
  const auto head = [&](const std::string& name, const torch::Tensor& x) {
    const torch::Tensor first = torch::gelu(linear(name + ".dense0", x));
    return linear(name + ".dense2", torch::gelu(linear(name + ".dense1", first)));
  };
  const torch::Tensor patch = image[1][5], query = queries.embeds[0][2];
  const torch::Tensor raw = linear("class_head.dense0", patch);
  EXPECT_TRUE(Close(got.raw_class_embeds[1][5], raw));
  EXPECT_TRUE(Close(got.class_embeds[1][5], raw / raw.norm()));
  const double scale = linear("class_head.logit_scale", patch).item<double>();
  const double cosine = (raw.dot(query) / raw.norm() / query.norm()).item<double>();
  const double logit = (cosine + linear("class_head.logit_shift", patch).item<double>()) *
                       (scale > 0 ? scale + 1 : std::exp(scale));
  EXPECT_NEAR(got.logits[1][5][2].item<double>(), logit, 1e-4);
  EXPECT_TRUE(Close(got.objectness[1][5], head("objectness_head", patch).squeeze(0)));
  EXPECT_TRUE(Close(got.boxes[1][5], torch::sigmoid(head("box_head", patch) + model.BoxBias()[5])));
}

TEST(Owlv2Predict, BoxesStandByDefaultAtTheLowerRightCornerOfTheirPatchAndAreOnePatchLarge) {
  torch::NoGradGuard no_grad;
  const torch::Tensor boxes = torch::sigmoid(TinyOwl().BoxBias());
  ASSERT_EQ(boxes.sizes(), torch::IntArrayRef({9, 4}));
  const float third = 1.f / 3;
  EXPECT_TRUE(Close(boxes[1], torch::tensor({2 * third, third, third, third}), 2e-4));  // first row
  EXPECT_TRUE(Close(boxes[5], torch::tensor({1.f, 2 * third, third, third}), 2e-4));
}

TEST(Owlv2Predict, FindsNoQueryThatIsPadding) {
  torch::NoGradGuard no_grad;
  const Owlv2 model = TinyOwl();
  const torch::Tensor ids = torch::stack({Ids({28, 7, 29}), Ids({0, 0, 0})}, 1);
  const Owlv2Prediction got = model.Predict(model.ImageEmbeds(Pixels(1)), model.Queries(ids));
  EXPECT_TRUE(torch::all(got.logits.select(2, 1) == std::numeric_limits<float>::lowest()).item<bool>());
  EXPECT_LT(got.logits.select(2, 0).abs().max().item<double>(), 1e3);
}

TEST(Owlv2Predict, DoesNotDependOnTheOtherImagesAndQueries) {
  torch::NoGradGuard no_grad;
  const Owlv2 model = TinyOwl();
  const torch::Tensor first = torch::stack({Ids({28, 7, 29}), Ids({28, 9, 29})}, 1),
                      second = torch::stack({Ids({28, 11, 29}), Ids({28, 12, 29})}, 1);
  const Owlv2Prediction all =
      model.Predict(model.ImageEmbeds(Pixels(2)), model.Queries(torch::cat({first, second})));
  const Owlv2Prediction alone =
      model.Predict(model.ImageEmbeds(Pixels(2).narrow(0, 1, 1)), model.Queries(second.narrow(1, 1, 1)));
  EXPECT_TRUE(Close(alone.logits, all.logits.narrow(0, 1, 1).narrow(2, 1, 1)));
  EXPECT_TRUE(Close(alone.boxes, all.boxes.narrow(0, 1, 1)));
}

TEST(Owlv2Predict, RunsInBf16) {
  torch::NoGradGuard no_grad;
  const Owlv2 model = TinyOwl();
  TensorMap tensors = model.tensors();
  for (auto& [name, tensor] : tensors) tensor = tensor.to(torch::kBFloat16);
  const Owlv2 narrow = *Owlv2::Create(model.config(), tensors, "test");
  const torch::Tensor ids = torch::stack({Ids({28, 7, 29}), Ids({0, 0, 0})}, 1);
  const Owlv2Prediction wide = model.Predict(model.ImageEmbeds(Pixels(1)), model.Queries(ids)),
                        got = narrow.Predict(narrow.ImageEmbeds(Pixels(1).to(torch::kBFloat16)),
                                             narrow.Queries(ids));
  EXPECT_EQ(got.logits.scalar_type(), torch::kFloat32);
  EXPECT_TRUE(Close(got.logits.select(2, 0), wide.logits.select(2, 0), .1));
  EXPECT_TRUE(Close(got.boxes.to(torch::kFloat32), wide.boxes, .1));
}

// --- Configuration and files.

TEST(Owlv2Config, HasTheReferencesDefaultsWhereKeysAreAbsent) {
  const auto config = Owlv2Config::FromJson({{"model_type", "owlv2"}}, "test");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->ToJson(), Owlv2Config().ToJson());
  EXPECT_EQ(config->grid(), 48);
  EXPECT_EQ(config->text.width, 512);
  EXPECT_EQ(config->text.heads, 8);
  EXPECT_EQ(config->vision.eps, 1e-5);
}

TEST(Owlv2Config, ReadsBackWhatItWrites) {
  for (const Activation gelu : {Activation::kQuickGelu, Activation::kExactGelu, Activation::kGelu}) {
    Owlv2Config config = TinyOwlConfig();
    config.text.eps = 1e-3, config.text.gelu = gelu;
    const auto back = Owlv2Config::FromJson(config.ToJson(), "test");
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->ToJson(), config.ToJson());
    EXPECT_EQ(back->text.gelu, gelu);
    EXPECT_EQ(back->vision.gelu, Activation::kQuickGelu);
    EXPECT_EQ(Owlv2::ExpectedTensors(*back), Owlv2::ExpectedTensors(config));
  }
}

TEST(Owlv2Config, RefusesWhatMakesNoModel) {
  const std::vector<std::pair<std::string, nlohmann::json>> damages = {
      {"type owlvit", {{"model_type", "owlvit"}}},
      {"vision_config: sizes out of range", {{"vision_config", {{"num_attention_heads", 7}}}}},
      {"text_config: sizes out of range", {{"text_config", {{"num_hidden_layers", 0}}}}},
      {"text_config: hidden_act is \"relu\"", {{"text_config", {{"hidden_act", "relu"}}}}},
      {"vision_config: num_channels is 1", {{"vision_config", {{"num_channels", 1}}}}},
      {"does not fit image_size 8", {{"vision_config", {{"image_size", 8}}}}},
      {"projection_dim 256 is not the text tower's hidden_size, 512", {{"projection_dim", 256}}},
      {"text_config is 3, want an object", {{"text_config", 3}}},
      {"quantization_config is set", {{"quantization_config", {{"bits", 8}}}}},
  };
  for (const auto& [words, json] : damages) {
    const absl::Status status = Owlv2Config::FromJson(json, "the file").status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << json << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("the file"), HasSubstr(words)));
  }
}

TEST(Owlv2, LoadsAPublishedFolderAndNamesTheTensorThatIsMissing) {
  const TemporaryFolder folder;
  EXPECT_TRUE(absl::IsNotFound(Owlv2::Load(folder.path()).status()));
  const Owlv2 model = TinyOwl();
  TensorMap stored = model.tensors();
  stored["owlv2.logit_scale"] = torch::tensor(2.6f);
  stored["owlv2.visual_projection.weight"] = torch::zeros({12, 16});
  stored["owlv2.vision_model.embeddings.position_ids"] = torch::arange(10).unsqueeze(0);
  ASSERT_TRUE(WriteFileAtomic(folder / "config.json", model.config().ToJson().dump()).ok());
  ASSERT_TRUE(SaveTensors(folder / "model.safetensors", stored).ok());
  const auto loaded = Owlv2::Load(folder.path());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(DigestOf(loaded->tensors()), DigestOf(model.tensors()));
  stored.erase("objectness_head.dense1.bias");
  ASSERT_TRUE(SaveTensors(folder / "model.safetensors", stored).ok());
  const absl::Status incomplete = Owlv2::Load(folder.path()).status();
  EXPECT_TRUE(absl::IsDataLoss(incomplete)) << incomplete;
  EXPECT_THAT(std::string(incomplete.message()), HasSubstr("objectness_head.dense1.bias"));
}

}  // namespace
}  // namespace lvrpo
