// Reading published checkpoints: model/weights/stored_weights.h, model/bagel_folder.h, model/bagel_config.h.

#include <filesystem>
#include <fstream>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files/file.h"
#include "data/safetensors/safetensors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/bagel_folder.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Edit = std::function<void(nlohmann::json&)>;

void EditJson(const std::string& path, const Edit& edit) {
  nlohmann::json json = nlohmann::json::parse(*ReadFile(path));
  edit(json);
  ASSERT_TRUE(WriteFileAtomic(path, json.dump()).ok());
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// --- Weights.

TensorMap SomeTensors() {
  torch::manual_seed(3);
  return {{"long", torch::randn({(int64_t{1} << 21) + 5})},  // more than one block
          {"double", torch::randn({4, 3}, torch::kFloat64)},
          {"half", torch::randn({7}).to(torch::kFloat16)},
          {"brain", torch::randn({2, 5}).to(torch::kBFloat16)},
          {"ids", torch::tensor({int64_t{1} << 60, int64_t{-3}}, torch::kInt64)},
          {"nothing", torch::zeros({0, 4})},
          {"scalar", torch::tensor(2.5f)}};
}

TEST(StoredWeights, ReadsEveryDtypeAsTheOneThatIsAsked) {
  const TemporaryFolder folder;
  const TensorMap saved = SomeTensors();
  ASSERT_TRUE(SaveTensors(folder / "a.safetensors", saved).ok());
  const auto weights = StoredWeights::OpenFile(folder / "a.safetensors");
  ASSERT_TRUE(weights.ok()) << weights.status();
  for (const bool map : {false, true}) {
    for (const std::optional<torch::Dtype> dtype :
         {std::optional<torch::Dtype>(torch::kFloat32), std::optional<torch::Dtype>(torch::kBFloat16),
          std::optional<torch::Dtype>()}) {
      const auto got = weights->Read({.dtype = dtype, .map = map});
      ASSERT_TRUE(got.ok()) << got.status();
      ASSERT_EQ(got->size(), saved.size());
      for (const auto& [name, tensor] : saved) {
        const torch::Tensor expected =
            dtype.has_value() && tensor.is_floating_point() ? tensor.to(*dtype) : tensor;
        EXPECT_EQ(got->at(name).scalar_type(), expected.scalar_type()) << name;
        EXPECT_TRUE(torch::equal(got->at(name), expected)) << name;
      }
    }
  }
}

TEST(StoredWeights, ReadsPartsCastOnTheWay) {
  const TemporaryFolder folder;
  const TensorMap saved = SomeTensors();
  ASSERT_TRUE(SaveTensors(folder / "a.safetensors", saved).ok());
  const auto weights = StoredWeights::OpenFile(folder / "a.safetensors");
  ASSERT_TRUE(weights.ok()) << weights.status();
  torch::Tensor part = torch::empty({4}, torch::kFloat32);
  ASSERT_TRUE(weights->ReadPiece("brain", 3, part).ok());
  EXPECT_TRUE(torch::equal(part, saved.at("brain").flatten().narrow(0, 3, 4).to(torch::kFloat32)));
  EXPECT_TRUE(absl::IsOutOfRange(weights->ReadPiece("brain", 7, part)));
  EXPECT_TRUE(absl::IsNotFound(weights->ReadPiece("nobody", 0, part)));
}

TEST(StoredWeights, ViewsCanBeTrainedAndTheFileStaysAsItWas) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.safetensors";
  const TensorMap saved = {{"a", torch::ones({3000})}, {"b", torch::ones({3000})}};
  ASSERT_TRUE(SaveTensors(path, saved).ok());
  const std::string before = *ReadFile(path);
  TensorMap views = *StoredWeights::OpenFile(path)->Read({.map = true});  // outlive what they were read from
  // Neighbours in the file, so neighbours in memory.
  EXPECT_EQ(views.at("b").data_ptr<float>() - views.at("a").data_ptr<float>(), 3000);
  torch::Tensor a = views.at("a").set_requires_grad(true);
  torch::optim::SGD({a}, 0.5).zero_grad();
  (a * a).sum().backward();
  torch::optim::SGD({a}, 0.5).step();  // 1 - 0.5 * 2
  EXPECT_EQ(a.abs().sum().item<float>(), 0);
  EXPECT_TRUE(torch::equal(views.at("b"), saved.at("b")));
  EXPECT_EQ(*ReadFile(path), before);
  // A view holds its file's bytes even when another file takes the name.
  views.erase("a");
  ASSERT_TRUE(SaveTensors(path, {{"b", torch::zeros({3000})}}).ok());
  EXPECT_TRUE(torch::equal(views.at("b"), saved.at("b")));
}

TEST(StoredWeights, CopiesWhatLiesUnalignedInItsFile) {
  const TemporaryFolder folder;
  const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const uint64_t size = header.size();
  ASSERT_NE((8 + size) % 4, 0u);
  const float values[] = {1.5f, -2};
  std::string bytes(reinterpret_cast<const char*>(&size), 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(values), 8);
  ASSERT_TRUE(WriteFileAtomic(folder / "a.safetensors", bytes).ok());
  const TensorMap got = *StoredWeights::OpenFile(folder / "a.safetensors")->Read({.map = true});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(got.at("a").data_ptr()) % 16, 0u);
  EXPECT_TRUE(torch::equal(got.at("a"), torch::tensor({1.5f, -2.f})));
}

TEST(StoredWeights, NoticesAFileThatIsCutShortAfterItWasOpened) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.safetensors";
  for (const bool map : {false, true}) {
    ASSERT_TRUE(SaveTensors(path, {{"a", torch::ones({100000})}}).ok());
    const auto weights = StoredWeights::OpenFile(path);
    ASSERT_TRUE(weights.ok()) << weights.status();
    std::filesystem::resize_file(path, 1000);
    const absl::Status status = weights->Read({.map = map}).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(Message(status), HasSubstr(path));
  }
}

TEST(StoredWeights, RefusesShapesWithoutElementsThatNoMemoryCouldHold) {
  const TemporaryFolder folder;
  const std::string header =
      R"({"a":{"dtype":"F32","shape":[0,4611686018427387904,4611686018427387904],"data_offsets":[0,0]}})";
  const uint64_t size = header.size();
  const std::string bytes = std::string(reinterpret_cast<const char*>(&size), 8) + header;
  ASSERT_TRUE(WriteFileAtomic(folder / "a.safetensors", bytes).ok());
  const auto weights = StoredWeights::OpenFile(folder / "a.safetensors");
  if (weights.ok()) weights->Read().status().IgnoreError();  // an error or an empty tensor, but no crash
}

TEST(StoredWeights, ChecksNamesShapesAndDtypesBeforeReading) {
  const TemporaryFolder folder;
  ASSERT_TRUE(SaveTensors(folder / "a.safetensors", {{"a", torch::ones({2})},
                                                     {"b", torch::ones({2, 3})},
                                                     {"n", torch::ones({2}, torch::kInt64)}})
                  .ok());
  const auto weights = StoredWeights::OpenFile(folder / "a.safetensors");
  ASSERT_TRUE(weights.ok()) << weights.status();
  absl::Status status = weights->Check({{"a", {3}}, {"c", {1}}});
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(Message(status),
              AllOf(HasSubstr("missing tensors 1 (c)"), HasSubstr("unexpected tensors 2 (b, n)"),
                    HasSubstr("a [2] instead of [3]")));
  status = weights->Check({{"a", {2}}, {"b", {2, 3}}, {"n", {2}}});
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(Message(status), AllOf(HasSubstr("n has dtype I64"), Not(HasSubstr("b has"))));

  // Quantised weights.
  const std::map<std::string, SafetensorsEntry> entries = {{"q", {"F8_E4M3", {2}, "ab"}}};
  ASSERT_TRUE(WriteSafetensors(folder / "q.safetensors", entries, {}).ok());
  const auto quantised = StoredWeights::OpenFile(folder / "q.safetensors");
  ASSERT_TRUE(quantised.ok()) << quantised.status();
  EXPECT_THAT(Message(quantised->Check({{"q", {2}}})), HasSubstr("q has dtype F8_E4M3"));
  EXPECT_TRUE(absl::IsUnimplemented(quantised->Read().status()));
}

// --- BAGEL folders.

constexpr char kVit[] = "vit_model.vision_model.encoder.layers.";

class BagelFolderTest : public ::testing::Test {
 protected:
  BagelFolderTest() : config_(TinyConfig()), tensors_(TinyBagel().tensors()) {
    config_.autoencoder.ch = 8, config_.autoencoder.norm_groups = 4, config_.autoencoder.ch_mult = {1, 2};
    config_.autoencoder.num_res_blocks = 1;
    EXPECT_TRUE(SaveBagelConfig(config_, folder_.path()).ok());
    Save();
  }
  void Save() const { ASSERT_TRUE(SaveTensors(folder_ / "ema.safetensors", tensors_).ok()); }
  absl::Status Open() const { return OpenBagelFolder(folder_.path()).status(); }
  // Writes settings into the three files as a publisher with these keys would.
  void EditSettings(const Edit& edit) const { EditJson(folder_ / "config.json", edit); }

  const TemporaryFolder folder_;
  BagelConfig config_;
  TensorMap tensors_;
};

TEST_F(BagelFolderTest, ReadsShardsAsOneFile) {
  std::filesystem::remove(folder_ / "ema.safetensors");
  TensorMap first, second;
  nlohmann::json index;
  for (const auto& [name, tensor] : tensors_) {
    const bool head = first.size() < tensors_.size() / 2;
    (head ? first : second)[name] = tensor;
    index["weight_map"][name] =
        head ? "model-00001-of-00002.safetensors" : "model-00002-of-00002.safetensors";
  }
  ASSERT_TRUE(SaveTensors(folder_ / "model-00001-of-00002.safetensors", first).ok());
  ASSERT_TRUE(SaveTensors(folder_ / "model-00002-of-00002.safetensors", second).ok());
  ASSERT_TRUE(WriteFileAtomic(folder_ / "model.safetensors.index.json", index.dump()).ok());
  const auto folder = OpenBagelFolder(folder_.path());
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(DigestOf(*folder->weights.Read()), DigestOf(tensors_));
}

TEST_F(BagelFolderTest, IgnoresWhatIsStoredAndNotUsed) {
  const TensorMap before = tensors_;
  for (const auto& [name, tensor] : before) {
    absl::string_view rest = name;
    if (absl::ConsumePrefix(&rest, absl::StrCat(kVit, "0.")))
      tensors_[absl::StrCat(kVit, "1.", rest)] = tensor;
  }
  tensors_["language_model.model.rotary_emb.inv_freq"] = torch::ones({4});
  Save();
  const auto folder = OpenBagelFolder(folder_.path());
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(folder->weights.index().tensors.size(), Bagel::ExpectedTensors(folder->config).size());
}

TEST_F(BagelFolderTest, NamesEveryTensorThatDoesNotFit) {
  tensors_.erase("vae2llm.bias");
  tensors_["head.bias"] = torch::zeros({1});
  tensors_["llm2vae.weight"] = torch::zeros({5, 32});
  tensors_[std::string(kVit) + "x.bias"] = torch::zeros({1});  // no number of a layer
  Save();
  EXPECT_THAT(Message(Open()), AllOf(HasSubstr("missing tensors 1 (vae2llm.bias)"),
                                     HasSubstr("unexpected tensors 2 (head.bias"), HasSubstr("layers.x.bias"),
                                     HasSubstr("llm2vae.weight [5,32] instead of [4,32]")));
}

TEST_F(BagelFolderTest, NeedsASeparateHeadEvenIfTheSettingsTieIt) {
  EditSettings([](nlohmann::json& j) { j["llm_config"]["tie_word_embeddings"] = true; });
  EXPECT_TRUE(Open().ok()) << Open();  // the head is there
  tensors_.erase("language_model.lm_head.weight");
  Save();
  EXPECT_TRUE(absl::IsInvalidArgument(Open()));
  EXPECT_THAT(Message(Open()), AllOf(HasSubstr("tie_word_embeddings"), HasSubstr("lm_head.weight")));
}

TEST_F(BagelFolderTest, ReadsTheSectionFilesWhenConfigJsonIsAStub) {
  EditJson(folder_ / "llm_config.json", [](nlohmann::json& j) { j["_attn_implementation"] = "sdpa"; });
  // As first published, with its stray comma; and the reference application reads no config.json at all.
  ASSERT_TRUE(
      WriteFileAtomic(folder_ / "config.json", "{\n \"architectures\": [\n \"Bagel,]}\\\"\"\n ],\n}\n").ok());
  for (int round = 0; round < 2; ++round) {
    const absl::Status status = LoadBagelConfig(folder_.path()).status();
    // Without config.json the tower has the published 70 patches a side: everything else was understood.
    EXPECT_THAT(Message(status), ::testing::EndsWith("vit_config: image_size is 32; supported: 560"));
    std::filesystem::remove(folder_ / "config.json");
  }
}

TEST(BagelConfig, ReadsThePublishedSettings) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteFileAtomic(folder / "config.json",
                              R"({"model_type": "bagel", "architectures": ["BagelForConditionalGeneration"],
                                  "vae_config": {"z_channels": 16, "downsample": 8}, "timestep_shift": 1.0,
                                  "max_latent_size": 32, "latent_patch_size": 2, "interpolate_pos": false})")
                  .ok());
  ASSERT_TRUE(WriteFileAtomic(folder / "llm_config.json",
                              R"({"architectures": ["Qwen2ForCausalLM"], "bos_token_id": 151643,
                                  "eos_token_id": 151645, "hidden_act": "silu", "hidden_size": 3584,
                                  "intermediate_size": 18944, "max_position_embeddings": 32768,
                                  "max_window_layers": 28, "model_type": "qwen2", "num_attention_heads": 28,
                                  "num_hidden_layers": 28, "num_key_value_heads": 4, "rms_norm_eps": 1e-06,
                                  "rope_theta": 1000000.0, "rope_scaling": null, "sliding_window": 131072,
                                  "tie_word_embeddings": false, "torch_dtype": "bfloat16",
                                  "use_sliding_window": false, "vocab_size": 152064})")
                  .ok());
  ASSERT_TRUE(WriteFileAtomic(folder / "vit_config.json",
                              R"({"hidden_size": 1152, "image_size": 980, "intermediate_size": 4304,
                                  "model_type": "siglip_vision_model", "num_attention_heads": 16,
                                  "num_hidden_layers": 27, "patch_size": 14})")
                  .ok());
  const auto config = LoadBagelConfig(folder.path());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->vit_layers, 26);
  EXPECT_EQ(config->vit_max_side, 70);
  EXPECT_EQ(config->latent_patch, 2);
  EXPECT_EQ(config->token_dim(), 64);
  EXPECT_EQ(config->rope_theta, 1e6);
  EXPECT_EQ(config->autoencoder.downsample(), 8);
  EXPECT_EQ(config->bos, 151644);
  EXPECT_EQ(config->start_of_image, 151652);
  // models_and_formats: 788 tensors of the language model, 421 of the tower, 14 others.
  EXPECT_EQ(Bagel::ExpectedTensors(*config).size(), 1223u);
}

TEST_F(BagelFolderTest, UnderstandsBothSpellingsOfTheRotaryBase) {
  EditSettings([](nlohmann::json& j) {
    j["llm_config"].erase("rope_theta");
    j["llm_config"]["rope_parameters"] = {{"rope_theta", 1234.0}, {"rope_type", "default"}};
  });
  EXPECT_EQ(LoadBagelConfig(folder_.path())->rope_theta, 1234);
}

TEST_F(BagelFolderTest, RefusesSettingsThatItCannotHonour) {
  const std::vector<std::pair<std::string, Edit>> edits = {
      {"hidden_act is \"gelu\"", [](nlohmann::json& j) { j["llm_config"]["hidden_act"] = "gelu"; }},
      {"hidden_act is \"gelu\"", [](nlohmann::json& j) { j["vit_config"]["hidden_act"] = "gelu"; }},
      {"rope_scaling.type is \"yarn\"",
       [](nlohmann::json& j) {
         j["llm_config"]["rope_scaling"] = {{"type", "yarn"}, {"factor", 4.0}};
       }},
      {"rope_scaling is set",
       [](nlohmann::json& j) {
         j["llm_config"]["rope_scaling"] = {{"factor", 4.0}};
       }},
      {"rope_parameters.rope_type is \"linear\"",
       [](nlohmann::json& j) {
         j["llm_config"]["rope_parameters"] = {{"rope_type", "linear"}};
       }},
      {"rope_parameters.rope_theta is \"big\"",
       [](nlohmann::json& j) {
         j["llm_config"]["rope_parameters"] = {{"rope_theta", "big"}};
       }},
      {"use_sliding_window is true", [](nlohmann::json& j) { j["llm_config"]["use_sliding_window"] = true; }},
      {"layer_types has \"sliding_attention\"",
       [](nlohmann::json& j) {
         j["llm_config"]["layer_types"] = {"full_attention", "sliding_attention"};
       }},
      {"layer_module is \"Qwen2MoEDecoderLayer\"",
       [](nlohmann::json& j) { j["llm_config"]["layer_module"] = "Qwen2MoEDecoderLayer"; }},
      {"quantization_config is set",
       [](nlohmann::json& j) {
         j["llm_config"]["quantization_config"] = {{"bits", 4}};
       }},
      {"head_dim is 16", [](nlohmann::json& j) { j["llm_config"]["head_dim"] = 16; }},
      {"interpolate_pos is true", [](nlohmann::json& j) { j["interpolate_pos"] = true; }},
      {"model_type is \"bagelx\"", [](nlohmann::json& j) { j["model_type"] = "bagelx"; }},
      {"connector_act is \"relu\"", [](nlohmann::json& j) { j["connector_act"] = "relu"; }},
      {"num_channels is 4", [](nlohmann::json& j) { j["vit_config"]["num_channels"] = 4; }},
      {"model_type is \"clip_vision_model\"",
       [](nlohmann::json& j) { j["vit_config"]["model_type"] = "clip_vision_model"; }},
      {"downsample is 8, but ch_mult has 2 levels",
       [](nlohmann::json& j) { j["vae_config"]["downsample"] = 8; }},
      {"ch_mult is not a list",
       [](nlohmann::json& j) {
         j["vae_config"]["ch_mult"] = {1, 0};
       }},
      {"ch_mult is not a list", [](nlohmann::json& j) { j["vae_config"]["ch_mult"] = 3; }},
      // Wrong types, each by name.
      {"hidden_size is 32.0, want a whole number",
       [](nlohmann::json& j) { j["llm_config"]["hidden_size"] = 32.0; }},
      {"num_attention_heads is true",
       [](nlohmann::json& j) { j["llm_config"]["num_attention_heads"] = true; }},
      {"rms_norm_eps is \"small\"", [](nlohmann::json& j) { j["llm_config"]["rms_norm_eps"] = "small"; }},
      {"tie_word_embeddings is 1", [](nlohmann::json& j) { j["llm_config"]["tie_word_embeddings"] = 1; }},
      {"patch_size is [8]", [](nlohmann::json& j) { j["vit_config"]["patch_size"] = {8}; }},
      {"max_latent_size is \"4\"", [](nlohmann::json& j) { j["max_latent_size"] = "4"; }},
      {"start_of_image_id is \"3\"", [](nlohmann::json& j) { j["start_of_image_id"] = "3"; }},
      {"end_of_image_id is missing", [](nlohmann::json& j) { j.erase("end_of_image_id"); }},
      {"llm_config is not an object", [](nlohmann::json& j) { j["llm_config"] = 3; }},
      {"out of range", [](nlohmann::json& j) { j["llm_config"]["hidden_size"] = int64_t{1} << 62; }},
      {"out of range", [](nlohmann::json& j) { j["latent_patch_size"] = int64_t{1} << 62; }},
      {"out of range", [](nlohmann::json& j) { j["vit_max_num_patch_per_side"] = int64_t{1} << 40; }},
      {"out of range", [](nlohmann::json& j) { j["vit_config"]["num_hidden_layers"] = INT64_MIN; }},
      {"out of range", [](nlohmann::json& j) { j["llm_config"]["rope_theta"] = 0; }},
  };
  const std::string good = *ReadFile(folder_ / "config.json");
  for (const auto& [words, edit] : edits) {
    ASSERT_TRUE(WriteFileAtomic(folder_ / "config.json", good).ok());
    EditSettings(edit);
    const absl::Status status = Open();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << words << ": " << status;
    EXPECT_THAT(Message(status), HasSubstr(words));
  }
}

TEST_F(BagelFolderTest, NamesAllProblemsOfAllSectionsAtOnce) {
  EditSettings([](nlohmann::json& j) {
    j["connector_act"] = "relu";
    j["llm_config"]["hidden_act"] = "gelu";
    j["vit_config"]["patch_size"] = "8";
  });
  EXPECT_THAT(Message(Open()),
              AllOf(HasSubstr("connector_act"), HasSubstr("hidden_act"), HasSubstr("patch_size")));
}

TEST_F(BagelFolderTest, RecognisesAnotherModelsFolder) {
  for (const char* type : {"qwen2", "siglip", "siglip2", "paligemma"}) {
    ASSERT_TRUE(WriteFileAtomic(folder_ / "config.json", nlohmann::json({{"model_type", type}}).dump()).ok());
    EXPECT_TRUE(absl::IsInvalidArgument(Open()));
    EXPECT_THAT(Message(Open()), AllOf(HasSubstr(type), HasSubstr("bagel model is wanted")));
  }
  ASSERT_TRUE(WriteFileAtomic(folder_ / "config.json", R"({"architectures": ["LlamaForCausalLM"]})").ok());
  EXPECT_THAT(Message(Open()), HasSubstr("LlamaForCausalLM"));
}

TEST_F(BagelFolderTest, ChecksTheAutoencoderToo) {
  const TensorMap good = Autoencoder::RandomInit(config_.autoencoder, 4);
  ASSERT_TRUE(SaveTensors(folder_ / "ae.safetensors", good).ok());
  EXPECT_TRUE(OpenAutoencoder(folder_.path(), config_.autoencoder).ok());
  TensorMap tensors = good;
  tensors.erase("decoder.conv_out.bias");
  ASSERT_TRUE(SaveTensors(folder_ / "ae.safetensors", tensors).ok());
  EXPECT_THAT(Message(OpenAutoencoder(folder_.path(), config_.autoencoder).status()),
              AllOf(HasSubstr("ae.safetensors"), HasSubstr("decoder.conv_out.bias")));
}

}  // namespace
}  // namespace lvrpo
