#include "model/siglip.h"

#include <functional>

#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

torch::Tensor Pixels(int64_t images, int64_t side = 14) {
  torch::manual_seed(41);
  return torch::rand({images, 3, side, side}) * 2 - 1;
}

// --- The pooling head.

TEST(DenseTokens, AreThePoolingHeadOnEachPatchAlone) {
  torch::NoGradGuard no_grad;
  const Siglip model = TinySiglip();
  const torch::Tensor tokens = model.VisionTokens(Pixels(2));
  ASSERT_EQ(tokens.sizes(), torch::IntArrayRef({2, 9, 16}));
  const torch::Tensor alone = model.Pool(tokens.reshape({18, 1, 16}));
  EXPECT_TRUE(Close(model.DenseTokens(tokens), alone.view({2, 9, 16})));
}

TEST(DenseTokens, OfAnImageOfOnePatchAreItsPooledOutput) {
  torch::NoGradGuard no_grad;
  SiglipConfig config = TinySiglipConfig();
  config.image_size = config.patch_size;
  const Siglip model = TinySiglip(config);
  const torch::Tensor tokens = model.VisionTokens(Pixels(3, config.image_size));
  ASSERT_EQ(tokens.sizes(), torch::IntArrayRef({3, 1, 16}));
  EXPECT_TRUE(Close(model.DenseTokens(tokens).squeeze(1), model.Pool(tokens)));
}

TEST(Pool, WithKeysIsPoolingThoseTokensAlone) {
  torch::NoGradGuard no_grad;
  const Siglip model = TinySiglip();
  const torch::Tensor tokens = model.VisionTokens(Pixels(1));
  const torch::Tensor chosen = Ids({1, 4, 5}).squeeze(0);
  torch::Tensor keys = torch::zeros({1, 9}, torch::kBool);
  for (const int64_t i : {1, 4, 5}) keys[0][i] = true;
  EXPECT_TRUE(Close(model.Pool(tokens, keys), model.Pool(tokens.index_select(1, chosen))));
  EXPECT_FALSE(Close(model.Pool(tokens, keys), model.Pool(tokens), 1e-3));
  EXPECT_TRUE(Close(model.Pool(tokens, torch::ones({1, 9}, torch::kBool)), model.Pool(tokens)));
}

// --- The vision tower.

TEST(VisionTokens, DropThePixelsBeyondTheLastWholePatch) {
  torch::NoGradGuard no_grad;
  const Siglip model = TinySiglip();
  const torch::Tensor pixels = Pixels(1);
  const torch::Tensor tokens = model.VisionTokens(pixels);
  torch::Tensor changed = pixels.clone();
  changed.narrow(2, 12, 2).fill_(9);
  changed.narrow(3, 12, 2).fill_(9);
  EXPECT_TRUE(torch::equal(model.VisionTokens(changed), tokens));
  changed = pixels.clone();
  changed[0][2][11][11] += 1;  // the last pixel that counts reaches every token
  const torch::Tensor moved = (model.VisionTokens(changed) - tokens).abs().amax(2);
  EXPECT_GT(moved.min().item<double>(), 0);
}

TEST(VisionTokens, DoNotDependOnTheOtherImages) {
  torch::NoGradGuard no_grad;
  const Siglip model = TinySiglip();
  const torch::Tensor all = model.VisionTokens(Pixels(3));
  EXPECT_TRUE(Close(model.VisionTokens(Pixels(3).narrow(0, 1, 1)), all.narrow(0, 1, 1)));
}

TEST(VisionTokens, OfNaFlexAtTheTablesOwnShapeAreThoseOfFixedResolution) {
  torch::NoGradGuard no_grad;
  const Siglip fixed = TinySiglip();
  SiglipConfig config = fixed.config();
  config.naflex = true, config.num_patches = 9;
  TensorMap tensors = fixed.tensors();
  torch::Tensor& patch = tensors.at("vision_model.embeddings.patch_embedding.weight");
  patch = patch.permute({0, 2, 3, 1}).reshape({16, 48});  // channel last
  const Siglip naflex = *Siglip::Create(config, tensors, "test");

  const torch::Tensor pixels = Pixels(2);
  const torch::Tensor patches = pixels.narrow(2, 0, 12)
                                    .narrow(3, 0, 12)
                                    .reshape({2, 3, 3, 4, 3, 4})
                                    .permute({0, 2, 4, 3, 5, 1})
                                    .reshape({2, 9, 48});
  const torch::Tensor shapes = torch::full({2, 2}, 3, torch::kInt64);
  const torch::Tensor expected = fixed.VisionTokens(pixels);
  EXPECT_TRUE(Close(naflex.VisionTokens(patches, torch::ones({2, 9}, torch::kInt32), shapes), expected));

  // Followed by two padded patches of any values.
  for (const double junk : {0.0, 5.0}) {
    const torch::Tensor padded = torch::constant_pad_nd(patches, {0, 0, 0, 2}, junk);
    const torch::Tensor mask = torch::constant_pad_nd(torch::ones({2, 9}, torch::kInt32), {0, 2}, 0);
    const torch::Tensor tokens = naflex.VisionTokens(padded, mask, shapes);
    EXPECT_TRUE(Close(tokens.narrow(1, 0, 9), expected));
    EXPECT_TRUE(Close(naflex.Pool(tokens, mask), fixed.Pool(expected)));
  }
}

// --- The text tower.

TEST(TextTokens, EveryTokenReachesEveryPositionPadsIncluded) {
  torch::NoGradGuard no_grad;
  const Siglip model = TinySiglip();
  const torch::Tensor ids = Ids({7, 8, 9, 1, 0, 0});
  const torch::Tensor tokens = model.TextTokens(ids);
  ASSERT_EQ(tokens.sizes(), torch::IntArrayRef({1, 6, 20}));
  for (int64_t i = 0; i < 6; ++i) {
    torch::Tensor changed = ids.clone();
    changed[0][i] = 20;
    const torch::Tensor moved = (model.TextTokens(changed) - tokens).abs().amax(2);
    EXPECT_GT(moved.min().item<double>(), 0) << i;
  }
  // Positions count: the same tokens in another order are another text.
  EXPECT_FALSE(Close(model.Text(Ids({9, 8, 7, 1, 0, 0})), model.Text(ids), 1e-3));
}

TEST(Text, IsTheProjectionOfTheLastPosition) {
  torch::NoGradGuard no_grad;
  const Siglip model = TinySiglip();
  const torch::Tensor ids = torch::cat({Ids({7, 8, 9, 1, 0, 0}), Ids({10, 11, 12, 13, 14, 1})});
  const torch::Tensor last = model.TextTokens(ids).select(1, 5);
  EXPECT_TRUE(Close(model.Text(ids), torch::matmul(last, model.tensors().at("text_model.head.weight").t()) +
                                         model.tensors().at("text_model.head.bias")));
  EXPECT_TRUE(Close(model.Text(ids.narrow(0, 1, 1)), model.Text(ids).narrow(0, 1, 1)));
}

TEST(UnitLength, DividesByTheLength) {
  EXPECT_TRUE(Close(UnitLength(torch::tensor({{3.f, 4.f}, {0.f, -2.f}})),
                    torch::tensor({{.6f, .8f}, {0.f, -1.f}}), 1e-7));
}

// --- Configuration and files.

TEST(SiglipConfig, ReadsBackWhatItWrites) {
  SiglipConfig config = TinySiglipConfig();
  config.text.eps = 1e-5, config.use_head = false, config.projection = 12;
  for (const bool naflex : {false, true}) {
    config.naflex = naflex, config.num_patches = 16;
    const auto back = SiglipConfig::FromJson(config.ToJson(), "test");
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->ToJson(), config.ToJson());
    EXPECT_EQ(Siglip::ExpectedTensors(*back), Siglip::ExpectedTensors(config));
    EXPECT_FALSE(back->use_head);
    EXPECT_EQ(back->text.eps, 1e-5);
  }
}

TEST(SiglipConfig, HasTheReferencesDefaultsWhereKeysAreAbsent) {
  const auto config = SiglipConfig::FromJson(
      {{"model_type", "siglip"}, {"text_config", {{"hidden_size", 36}, {"num_attention_heads", 3}}}}, "test");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(config->naflex);
  EXPECT_TRUE(config->use_head);
  EXPECT_EQ(config->image_size, 224);
  EXPECT_EQ(config->patch_size, 16);
  EXPECT_EQ(config->vision.width, 768);
  EXPECT_EQ(config->vision.eps, 1e-6);
  EXPECT_EQ(config->vocabulary, 32000);
  EXPECT_EQ(config->text_length, 64);
  EXPECT_EQ(config->projection, 36);  // the text's own width
}

TEST(SiglipConfig, RefusesWhatMakesNoModel) {
  const std::vector<std::pair<std::string, nlohmann::json>> damages = {
      {"tower sizes out of range", {{"vision_config", {{"num_attention_heads", 7}}}}},
      {"tower sizes out of range", {{"text_config", {{"num_attention_heads", 0}}}}},
      {"tower sizes out of range", {{"text_config", {{"num_hidden_layers", 1 << 30}}}}},
      {"does not fit image_size 8", {{"vision_config", {{"image_size", 8}}}}},
      {"num_patches 15 is not the area of a square",
       {{"model_type", "siglip2"}, {"vision_config", {{"num_patches", 15}}}}},
      {"vision_config is 3, want an object", {{"vision_config", 3}}},
      {"model_type is \"clip\"", {{"model_type", "clip"}}},
  };
  for (const auto& [words, json] : damages) {
    const absl::Status status = SiglipConfig::FromJson(json, "the file").status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << json << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("the file"), HasSubstr(words)));
  }
}

TEST(Siglip, WithoutAPoolingHeadHasNoTensorsOfOne) {
  SiglipConfig config = TinySiglipConfig();
  config.use_head = false;
  const TensorMap tensors = Siglip::RandomInit(config, 5);
  const auto model = Siglip::Create(config, tensors, "test");
  ASSERT_TRUE(model.ok()) << model.status();
  for (const auto& [name, tensor] : tensors) {
    EXPECT_FALSE(name.starts_with("vision_model.head.")) << name;
    EXPECT_TRUE(tensor.defined()) << name;
  }
  EXPECT_EQ(model->VisionTokens(Pixels(1)).sizes(), torch::IntArrayRef({1, 9, 16}));
}

TEST(Siglip, ComputesWithTheActivationAndTheEpsilonOfItsSettings) {
  const TensorMap tensors = TinySiglip().tensors();
  const auto seen = [&](const std::function<void(SiglipConfig&)>& change) {
    SiglipConfig config = TinySiglipConfig();
    change(config);
    const Siglip model = *Siglip::Create(config, tensors, "test");
    const torch::NoGradGuard no_grad;
    return std::pair(model.Pool(model.VisionTokens(Pixels(1))), model.Text(Ids({1, 2, 3, 4, 5, 6})));
  };
  const auto usual = seen([](SiglipConfig&) {});
  for (const Activation gelu : {Activation::kQuickGelu, Activation::kExactGelu}) {
    const auto vision = seen([&](SiglipConfig& config) { config.vision.gelu = gelu; });
    EXPECT_FALSE(torch::equal(vision.first, usual.first));
    EXPECT_TRUE(torch::equal(vision.second, usual.second));
    const auto text = seen([&](SiglipConfig& config) { config.text.gelu = gelu; });
    EXPECT_TRUE(torch::equal(text.first, usual.first));
    EXPECT_FALSE(torch::equal(text.second, usual.second));
  }
  EXPECT_FALSE(torch::equal(seen([](SiglipConfig& config) { config.vision.eps = .1; }).first, usual.first));
  EXPECT_FALSE(torch::equal(seen([](SiglipConfig& config) { config.text.eps = .1; }).second, usual.second));
}

TEST(Siglip, LoadsAPublishedFolderWithItsConstantBuffers) {
  const TemporaryFolder folder;
  const Siglip model = TinySiglip();
  TensorMap stored = model.tensors();
  stored["vision_model.embeddings.position_ids"] = torch::arange(9).unsqueeze(0);
  stored["text_model.embeddings.position_ids"] = torch::arange(6).unsqueeze(0);
  ASSERT_TRUE(WriteFileAtomic(folder / "config.json", model.config().ToJson().dump()).ok());
  ASSERT_TRUE(SaveTensors(folder / "model.safetensors", stored).ok());
  const auto loaded = Siglip::Load(folder.path());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(DigestOf(loaded->tensors()), DigestOf(model.tensors()));
  torch::NoGradGuard no_grad;
  EXPECT_TRUE(
      torch::equal(loaded->Pool(loaded->VisionTokens(Pixels(2))), model.Pool(model.VisionTokens(Pixels(2)))));
}

TEST(Siglip, LoadsTowersThatWereSavedAloneAndUnderAnotherName) {
  const TemporaryFolder folder;
  const Siglip model = TinySiglip();
  ASSERT_TRUE(WriteFileAtomic(folder / "config.json", model.config().ToJson().dump()).ok());
  TensorMap towers;
  for (const auto& [name, tensor] : model.tensors()) {
    if (name != "logit_scale" && name != "logit_bias") towers["model." + name] = tensor;
  }
  ASSERT_TRUE(SaveTensors(folder / "model.safetensors", towers).ok());
  const auto loaded = Siglip::Load(folder.path());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_FALSE(loaded->config().calibrated);
  torch::NoGradGuard no_grad;
  EXPECT_TRUE(
      torch::equal(loaded->Pool(loaded->VisionTokens(Pixels(2))), model.Pool(model.VisionTokens(Pixels(2)))));
  // One of the two alone is a damaged file.
  towers["logit_bias"] = model.tensors().at("logit_bias");
  ASSERT_TRUE(SaveTensors(folder / "model.safetensors", towers).ok());
  EXPECT_THAT(std::string(Siglip::Load(folder.path()).status().message()), HasSubstr("logit_scale"));
}

TEST(Siglip, NamesTheFileAndTensorThatIsMissing) {
  const TemporaryFolder folder;
  EXPECT_TRUE(absl::IsNotFound(Siglip::Load(folder.path()).status()));
  ASSERT_TRUE(WriteFileAtomic(folder / "config.json", "[1]").ok());
  EXPECT_TRUE(absl::IsInvalidArgument(Siglip::Load(folder.path()).status()));
  const Siglip model = TinySiglip();
  ASSERT_TRUE(WriteFileAtomic(folder / "config.json", model.config().ToJson().dump()).ok());
  const absl::Status no_weights = Siglip::Load(folder.path()).status();
  EXPECT_TRUE(absl::IsNotFound(no_weights)) << no_weights;
  EXPECT_THAT(std::string(no_weights.message()), HasSubstr("model.safetensors"));
  TensorMap tensors = model.tensors();
  tensors.erase("vision_model.head.probe");
  ASSERT_TRUE(SaveTensors(folder / "model.safetensors", tensors).ok());
  const absl::Status incomplete = Siglip::Load(folder.path()).status();
  EXPECT_TRUE(absl::IsDataLoss(incomplete)) << incomplete;
  EXPECT_THAT(std::string(incomplete.message()),
              AllOf(HasSubstr("model.safetensors"), HasSubstr("vision_model.head.probe")));
}

}  // namespace
}  // namespace lvrpo
