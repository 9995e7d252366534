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

BagelConfig StoredConfig() {
  BagelConfig config = TinyConfig();
  config.autoencoder.ch = 8, config.autoencoder.norm_groups = 4, config.autoencoder.ch_mult = {1, 2};
  config.autoencoder.num_res_blocks = 1;
  config.vit_eps = 1e-5;
  return config;
}

void Save(const TemporaryFolder& folder, const TensorMap& tensors) {
  ASSERT_TRUE(SaveBagelConfig(StoredConfig(), folder.path()).ok());
  ASSERT_TRUE(SaveTensors(folder / "ema.safetensors", tensors).ok());
}

void EditJson(const std::string& path, const std::function<void(nlohmann::json&)>& edit) {
  nlohmann::json json = nlohmann::json::parse(*ReadFile(path));
  edit(json);
  ASSERT_TRUE(WriteFileAtomic(path, json.dump()).ok());
}

TEST(BagelLoad, ReadsBackWhatWasSaved) {
  const TemporaryFolder folder;
  const TensorMap tensors = TinyBagel().tensors();
  Save(folder, tensors);
  const auto model = Bagel::Load(folder.path());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(DigestOf(model->tensors()), DigestOf(tensors));
  const BagelConfig& got = model->config();
  const BagelConfig wanted = StoredConfig();
  EXPECT_EQ(got.heads, wanted.heads);
  EXPECT_EQ(got.kv_heads, wanted.kv_heads);
  EXPECT_EQ(got.vit_layers, wanted.vit_layers);
  EXPECT_EQ(got.vit_heads, wanted.vit_heads);
  EXPECT_EQ(got.vit_eps, wanted.vit_eps);
  EXPECT_EQ(got.latent_patch, wanted.latent_patch);
  EXPECT_EQ(got.rope_theta, wanted.rope_theta);
  EXPECT_EQ(got.autoencoder.ch_mult, wanted.autoencoder.ch_mult);
  EXPECT_EQ(got.autoencoder.norm_groups, wanted.autoencoder.norm_groups);
  EXPECT_EQ((std::vector<int32_t>{got.bos, got.eos, got.start_of_image, got.end_of_image}),
            (std::vector<int32_t>{1, 2, 3, 4}));
}

TEST(BagelLoad, ReadsHalfPrecisionAsFloat32) {
  const TemporaryFolder folder;
  ASSERT_TRUE(SaveBagelConfig(StoredConfig(), folder.path()).ok());
  const TensorMap tensors = TinyBagel().tensors();
  ASSERT_TRUE(SaveTensors(folder / "ema.safetensors", tensors, torch::kBFloat16).ok());
  const auto model = Bagel::Load(folder.path());
  ASSERT_TRUE(model.ok()) << model.status();
  const torch::Tensor& got = model->tensors().at("vae2llm.weight");
  EXPECT_EQ(got.scalar_type(), torch::kFloat32);
  EXPECT_TRUE(torch::equal(got, tensors.at("vae2llm.weight").to(torch::kBFloat16).to(torch::kFloat32)));
}

TEST(BagelLoad, FindsTheSectionsNextToConfigJson) {
  const TemporaryFolder folder;
  Save(folder, TinyBagel().tensors());
  EditJson(folder / "config.json", [](nlohmann::json& json) {
    json.erase("llm_config");
    json.erase("vit_config");
  });
  const auto model = Bagel::Load(folder.path());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->config().hidden, 32);
  EXPECT_EQ(model->config().vit_layers, 1);
}

TEST(BagelLoad, TakesTheLatentTablesSizeFromTheCheckpoint) {
  const TemporaryFolder folder;
  Save(folder, TinyBagel().tensors());
  EditJson(folder / "config.json", [](nlohmann::json& json) { json["max_latent_size"] = 32; });
  const auto model = Bagel::Load(folder.path());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->config().max_latent_side, 4);
}

TEST(BagelLoad, NamesTheFileThatIsMissing) {
  const TemporaryFolder folder;
  const absl::Status nothing = Bagel::Load(folder / "nowhere").status();
  EXPECT_TRUE(absl::IsNotFound(nothing)) << nothing;
  EXPECT_THAT(std::string(nothing.message()), HasSubstr("nowhere/config.json"));

  ASSERT_TRUE(SaveBagelConfig(StoredConfig(), folder.path()).ok());
  const absl::Status no_weights = Bagel::Load(folder.path()).status();
  EXPECT_TRUE(absl::IsNotFound(no_weights)) << no_weights;
  EXPECT_THAT(std::string(no_weights.message()), HasSubstr("ema.safetensors"));
}

TEST(BagelLoad, RefusesDamagedWeightsWithTheFilesName) {
  const TemporaryFolder folder;
  const TensorMap good = TinyBagel().tensors();
  Save(folder, good);
  const std::string path = folder / "ema.safetensors";
  const std::string bytes = *ReadFile(path);
  for (const size_t size : {bytes.size() - 1, bytes.size() / 2, size_t{100}, size_t{7}, size_t{0}}) {
    ASSERT_TRUE(WriteFileAtomic(path, bytes.substr(0, size)).ok());
    const absl::Status status = Bagel::Load(folder.path()).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << size << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("ema.safetensors"));
  }
  for (const auto& [name, tensor] : {std::pair<std::string, torch::Tensor>{
                                         "latent_pos_embed.pos_embed", torch::tensor(1.f)},   // no dimension
                                     {"latent_pos_embed.pos_embed", torch::zeros({15, 32})},  // no square
                                     {"vae2llm.weight", torch::zeros({32, 5})},
                                     {"vae2llm.weight", torch::zeros({32, 4}, torch::kInt64)}}) {
    TensorMap tensors = good;
    tensors[name] = tensor;
    ASSERT_TRUE(SaveTensors(path, tensors).ok());
    const absl::Status status = Bagel::Load(folder.path()).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("ema.safetensors"), HasSubstr(name)));
  }
}

TEST(BagelLoad, RefusesSettingsThatMakeNoModel) {
  using Edit = std::function<void(nlohmann::json&)>;
  const std::vector<std::pair<std::string, Edit>> damages = {
      {"out of range or inconsistent", [](nlohmann::json& j) { j["llm_config"]["num_attention_heads"] = 5; }},
      {"out of range or inconsistent", [](nlohmann::json& j) { j["llm_config"]["num_key_value_heads"] = 0; }},
      {"out of range or inconsistent",
       [](nlohmann::json& j) { j["llm_config"]["num_hidden_layers"] = 1 << 30; }},
      {"out of range or inconsistent",
       [](nlohmann::json& j) { j["vit_config"]["num_hidden_layers"] = 1 << 30; }},
      {"out of range or inconsistent", [](nlohmann::json& j) { j["vit_config"]["num_hidden_layers"] = 0; }},
      {"out of range or inconsistent", [](nlohmann::json& j) { j["latent_patch_size"] = 0; }},
      {"token 40 is outside the vocabulary of 40", [](nlohmann::json& j) { j["end_of_image_id"] = 40; }},
      {"autoencoder settings", [](nlohmann::json& j) { j["vae_config"]["ch"] = 0; }},
      {"autoencoder settings", [](nlohmann::json& j) { j["vae_config"] = 3; }},
      {"config.json", [](nlohmann::json& j) { j["llm_config"]["hidden_size"] = "wide"; }},
      {"config.json is not a JSON object", [](nlohmann::json& j) { j = 3; }},
  };
  for (const auto& [words, damage] : damages) {
    const TemporaryFolder folder;
    ASSERT_TRUE(SaveBagelConfig(StoredConfig(), folder.path()).ok());
    EditJson(folder / "config.json", damage);
    const absl::Status status = Bagel::Load(folder.path()).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }
}

}  // namespace
}  // namespace lvrpo
