// Folders as other trainers leave them: with names that a wrapper changed, without what was not trained, or
// broken.
#include <cmath>
#include <filesystem>

#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/bagel_folder.h"
#include "model/folders/export.h"
#include "model/qwen2.h"
#include "model/weights/lora_file.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

class FineTunedTest : public ::testing::Test {
 protected:
  FineTunedTest() : config_(TinyConfig()), tensors_(TinyBagel().tensors()) {
    config_.autoencoder.ch = 8, config_.autoencoder.norm_groups = 4, config_.autoencoder.ch_mult = {1, 2};
    config_.autoencoder.num_res_blocks = 1;
    EXPECT_TRUE(Save("base", tensors_).ok());
  }
  absl::Status Save(const std::string& name, const TensorMap& tensors) const {
    std::filesystem::create_directories(folder_ / name);
    if (absl::Status status = SaveBagelConfig(config_, folder_ / name); !status.ok()) return status;
    return SaveTensors(folder_ / name + "/ema.safetensors", tensors);
  }
  TensorMap With(const std::string& prefix) const {
    TensorMap renamed;
    for (const auto& [name, tensor] : tensors_) renamed[prefix + name] = tensor;
    return renamed;
  }
  TensorMap Without(const std::vector<std::string>& patterns) const {
    TensorMap rest = tensors_;
    std::erase_if(rest, [&](const auto& entry) { return MatchesPatterns(entry.first, patterns); });
    return rest;
  }

  const TemporaryFolder folder_;
  BagelConfig config_;
  TensorMap tensors_;
};

TEST_F(FineTunedTest, TakesACommonPrefixOffAllNames) {
  for (const std::string prefix : {"module.", "model.", "_orig_mod.", "module.model.", "language_model."}) {
    ASSERT_TRUE(Save("tuned", With(prefix)).ok());
    const auto folder = OpenBagelFolder(folder_ / "tuned");
    ASSERT_TRUE(folder.ok()) << prefix << folder.status();
    EXPECT_EQ(DigestOf(*folder->weights.Read()), DigestOf(tensors_));
  }
  // Two tensors of one name are none too many.
  TensorMap both = With("module.");
  both["vae2llm.bias"] = both.at("module.vae2llm.bias");
  ASSERT_TRUE(Save("tuned", both).ok());
  EXPECT_THAT(Message(OpenBagelFolder(folder_ / "tuned").status()),
              HasSubstr("unexpected tensors 1 (module.vae2llm.bias)"));
}

TEST_F(FineTunedTest, PutsACommonPrefixInFrontOfNames) {
  const Qwen2Config config = {
      .hidden = 8, .mlp = 12, .layers = 1, .heads = 2, .kv_heads = 1, .vocabulary = 9, .tied = true};
  const TensorMap tensors = Qwen2::RandomInit(config, 3);
  TensorMap body;
  for (const auto& [name, tensor] : tensors) body[name.substr(std::string("model.").size())] = tensor;
  ASSERT_TRUE(WriteFileAtomic(folder_ / "config.json", config.ToJson().dump()).ok());
  ASSERT_TRUE(SaveTensors(folder_ / "model.safetensors", body).ok());
  const auto model = Qwen2::Load(folder_.path());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(DigestOf(model->tensors()), DigestOf(tensors));
}

TEST_F(FineTunedTest, SaysWhichSideIsMissingAndWhereToTakeItFrom) {
  const struct {
    std::vector<std::string> patterns;
    const char* side;
  } cases[] = {
      {{"vit_model.", "connector.", "vit_pos_embed."}, "vision tower, which understands images"},
      {{"language_model.model.layers.", "!_moe_gen"}, "understanding half of the language model"},
      {{"_moe_gen"}, "generation half of the language model"},
      {{"vae2llm.", "llm2vae.", "time_embedder."}, "way into and out of latents"},
  };
  for (const auto& test : cases) {
    ASSERT_TRUE(Save("tuned", Without(test.patterns)).ok());
    const std::string weights = folder_ / "tuned/ema.safetensors";
    EXPECT_THAT(
        Message(OpenBagelFolder(folder_ / "tuned").status()),
        AllOf(HasSubstr(std::string("lacks the ") + test.side),
              HasSubstr("export --base THAT_FOLDER --weights " + weights), HasSubstr("missing tensors")));
    // What it says works.
    for (const std::string& from : {weights, folder_ / "tuned"}) {
      const std::string whole = folder_ / "whole";
      const auto trained = OpenTrainedWeights(from);
      ASSERT_TRUE(trained.ok()) << trained.status();
      const absl::Status status = ExportBagel(folder_ / "base", *trained, whole);
      ASSERT_TRUE(status.ok()) << status;
      EXPECT_EQ(DigestOf(*LoadTensors(whole + "/ema.safetensors")), DigestOf(tensors_));
      std::filesystem::remove_all(whole);
    }
  }
  // One tensor is no side.
  ASSERT_TRUE(Save("tuned", Without({"connector.fc1.bias"})).ok());
  EXPECT_THAT(Message(OpenBagelFolder(folder_ / "tuned").status()),
              AllOf(HasSubstr("missing tensors 1 (connector.fc1.bias)"), ::testing::Not(HasSubstr("lacks"))));
}

TEST_F(FineTunedTest, ExportTakesTrainedTensorsOfOtherNames) {
  TensorMap trained;
  for (const auto& [name, tensor] : tensors_) {
    if (name.find("_moe_gen") != std::string::npos) trained["module." + name] = tensor + 1;
  }
  ASSERT_TRUE(SaveTensors(folder_ / "trained.safetensors", trained).ok());
  const absl::Status status =
      ExportBagel(folder_ / "base", *OpenTrainedWeights(folder_ / "trained.safetensors"), folder_ / "out");
  ASSERT_TRUE(status.ok()) << status;
  const TensorMap written = *LoadTensors(folder_ / "out/ema.safetensors");
  for (const auto& [name, tensor] : written) {
    EXPECT_TRUE(torch::equal(
        tensor, trained.contains("module." + name) ? trained.at("module." + name) : tensors_.at(name)));
  }
}

TEST_F(FineTunedTest, ExportRefusesValuesThatAreNotFinite) {
  const std::string out = folder_ / "out", name = "llm2vae.weight";
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    TensorMap trained = {{name, tensors_.at(name).clone()}};
    trained[name].view({-1})[7] = bad;
    const absl::Status status = ExportBagel(folder_ / "base", trained, out);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(Message(status), AllOf(HasSubstr(name), HasSubstr("not finite"), HasSubstr("element 7")));
    EXPECT_FALSE(std::filesystem::exists(out));
    // The same in the base.
    TensorMap broken = tensors_;
    broken[name] = trained[name];
    ASSERT_TRUE(Save("broken", broken).ok());
    EXPECT_TRUE(absl::IsDataLoss(ExportBagel(folder_ / "broken", TensorMap(), out)));
  }
  const TensorMap large = {{name, torch::full_like(tensors_.at(name), 1e5)}};
  EXPECT_TRUE(absl::IsDataLoss(ExportBagel(folder_ / "base", large, out, {.dtype = torch::kFloat16})));
  EXPECT_TRUE(ExportBagel(folder_ / "base", large, out, {.dtype = torch::kBFloat16}).ok());
}

TEST_F(FineTunedTest, ExportMergesRanksScalesAndWholeModulesOfAnAdapter) {
  const std::string first = "language_model.model.layers.0.self_attn.q_proj_moe_gen",
                    second = "language_model.model.layers.1.self_attn.q_proj_moe_gen";
  torch::manual_seed(4);
  TensorMap lora;
  for (const auto& [module, rank] : {std::pair(first, 2), {second, 3}}) {
    lora[module + kLoraA] = torch::randn({rank, 32});
    lora[module + kLoraB] = torch::randn({32, rank});
  }
  TensorMap stored;
  for (const auto& [name, tensor] : lora) stored["base_model.model." + name] = tensor;
  for (const char* name : {"llm2vae.weight", "llm2vae.bias"})
    stored[std::string("base_model.model.") + name] = torch::ones_like(tensors_.at(name));
  std::filesystem::create_directories(folder_ / "adapter");
  ASSERT_TRUE(SaveTensors(folder_ / "adapter/adapter_model.safetensors", stored).ok());
  ASSERT_TRUE(WriteFileAtomic(folder_ / "adapter/adapter_config.json",
                              R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4,
                                  "target_modules": ["q_proj_moe_gen"], "rank_pattern": {"layers.1.*": 3},
                                  "alpha_pattern": {"1.self_attn.q_proj_moe_gen": 9},
                                  "modules_to_save": ["llm2vae"]})")
                  .ok());
  const absl::Status status =
      ExportBagel(folder_ / "base", TensorMap(), folder_ / "out", {.adapter = folder_ / "adapter"});
  ASSERT_TRUE(status.ok()) << status;
  const TensorMap merged = *LoadTensors(folder_ / "out/ema.safetensors");
  for (const auto& [module, scale] : {std::pair(first, 2.0), {second, 3.0}}) {
    const torch::Tensor expected = tensors_.at(module + ".weight") +
                                   scale * torch::matmul(lora.at(module + kLoraB), lora.at(module + kLoraA));
    EXPECT_TRUE(Close(merged.at(module + ".weight"), expected, 1e-6)) << module;
  }
  EXPECT_TRUE(torch::equal(merged.at("llm2vae.bias"), torch::ones({4})));
  EXPECT_TRUE(torch::equal(merged.at("vae2llm.bias"), tensors_.at("vae2llm.bias")));
}

}  // namespace
}  // namespace lvrpo
