// What becomes of whole folders: model/folders/inspect.h, model/folders/memory_plan.h,
// model/folders/synthesize.h, model/folders/export.h.
#include "model/folders/inspect.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "common/files/file.h"
#include "common/hash.h"
#include "data/tokenizer/byte_tokenizer_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/bagel_folder.h"
#include "model/folders/export.h"
#include "model/folders/synthesize.h"
#include "model/weights/lora_file.h"
#include "tests/testing/merge_lora.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

BagelConfig SmallConfig() {
  BagelConfig config = TinyConfig();
  config.vocabulary = 300;  // room for a byte-level tokenizer
  config.autoencoder.ch = 8, config.autoencoder.norm_groups = 4, config.autoencoder.ch_mult = {1, 2};
  config.autoencoder.num_res_blocks = 1;
  return config;
}

std::string Synthesized(const TemporaryFolder& folder, SynthesizeOptions options = {}) {
  options.config = SmallConfig();
  const std::string path = folder / "base";
  const absl::Status status = SynthesizeBagel(options, path);
  EXPECT_TRUE(status.ok()) << status;
  return path;
}

TensorMap ReadAll(const std::string& folder) {
  const auto opened = OpenBagelFolder(folder);
  EXPECT_TRUE(opened.ok()) << opened.status();
  return *opened->weights.Read({.dtype = std::nullopt});
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// --- Memory, on the published sizes. Figures of models_and_formats: see the paper's table of parameters.

int64_t BytesOf(const MemoryPlan& plan, const std::string& role, const std::string& what) {
  for (const RoleMemory& memory : plan.roles) {
    for (const MemoryLine& line : memory.lines) {
      if (memory.role == role && line.what == what) return line.bytes;
    }
  }
  ADD_FAILURE() << role << " has no " << what;
  return 0;
}

TEST(MemoryPlan, AgreesWithFiguresWorkedByHand) {
  const auto plan = PlanMemory(BagelConfig(), {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->options.image_size, 1024);
  EXPECT_EQ(plan->image_tokens, 4096);
  // An expert: 28 x (2 x 3584^2 + 2 x 3584 x 512 + 3 x 3584 x 18944 + biases 3584 + 2 x 512 + norms 2 x 3584
  // + 2 x 128) + the final norm.
  const int64_t half = 28 * (int64_t{2} * 3584 * 3584 + int64_t{2} * 3584 * 512 + int64_t{3} * 3584 * 18944 +
                             3584 + 2 * 512 + 2 * 3584 + 2 * 128) +
                       3584;
  EXPECT_EQ(plan->trained_parameters, half);
  EXPECT_NEAR(static_cast<double>(half), 6.53e9, .01e9);
  // Master, gradients and Adam in fp32: 104 GB.
  const int64_t states = BytesOf(*plan, "learner", "master weights") +
                         BytesOf(*plan, "learner", "gradients") +
                         BytesOf(*plan, "learner", "Adam's two moments");
  EXPECT_EQ(states, 16 * half);
  EXPECT_NEAR(static_cast<double>(states), 104e9, 1e9);
  EXPECT_NEAR(static_cast<double>(BytesOf(*plan, "learner", "weights")), 29.2e9, .2e9);
  // Keys and values: 2 x 28 layers x 4 heads x 128 x 2 bytes a token.
  EXPECT_EQ(plan->units[0].bytes, 1000 * 57344);
}

TEST(MemoryPlan, CountsAdaptersAsTheLiteratureDoes) {
  const auto plan = PlanMemory(BagelConfig(), {.lora_rank = 64});
  ASSERT_TRUE(plan.ok()) << plan.status();
  // 28 x 64 x (2 x (3584 + 3584) + 2 x (3584 + 512) + 3 x (3584 + 18944)): 161 million.
  EXPECT_EQ(plan->trained_parameters, int64_t{28} * 64 * (2 * 7168 + 2 * 4096 + 3 * 22528));
}

TEST(MemoryPlan, CountsThePrepackedCopiesOfSmallLayers) {
  const MemoryPlan plan = *PlanMemory(BagelConfig(), {.dtype = torch::kFloat32});
  // The transformer's layers are above 48 MiB; below are the vision tower's 26, what leads into the
  // transformer (patches, connector.fc1, latents, frequencies of time) and out of it.
  const int64_t tower = 26 * (int64_t{4} * 1152 * 1152 + int64_t{2} * 1152 * 4304);
  const int64_t others = 1152 * 588 + 3584 * 1152 + 2 * 64 * 3584 + 3584 * 256;
  EXPECT_EQ(BytesOf(plan, "rollout worker", "weights in the CPU's order"), 4 * (tower + others));
  EXPECT_EQ(BytesOf(plan, "learner", "weights in the CPU's order"), 8 * (tower + others));
}

TEST(MemoryPlan, GrowsWithWhatIsAsked) {
  const MemoryPlan base = *PlanMemory(BagelConfig(), {});
  const MemoryPlan wide = *PlanMemory(BagelConfig(), {.dtype = torch::kFloat32});
  const MemoryPlan small = *PlanMemory(BagelConfig(), {.image_size = 512});
  const MemoryPlan large = *PlanMemory(BagelConfig(), {.group_size = 16});
  const char* call = "activations of a denoising call";
  EXPECT_EQ(BytesOf(wide, "rollout worker", "weights"), 2 * BytesOf(base, "rollout worker", "weights"));
  EXPECT_EQ(BytesOf(large, "rollout worker", call), 2 * BytesOf(base, "rollout worker", call));
  const MemoryPlan unguided = *PlanMemory(BagelConfig(), {.guidance_branches = 1});
  EXPECT_EQ(BytesOf(base, "rollout worker", call), 2 * BytesOf(unguided, "rollout worker", call));
  EXPECT_EQ(small.image_tokens, 1024);
  EXPECT_LT(BytesOf(small, "rollout worker", call), BytesOf(base, "rollout worker", call) / 3);
}

TEST(MemoryPlan, NamesTheOptionThatDoesNotFit) {
  const std::vector<std::pair<std::string, MemoryOptions>> cases = {
      {"multiple of 16 up to 1024", {.image_size = 1000}},
      {"multiple of 16 up to 1024", {.image_size = 2048}},
      {"multiple of 16 up to 1024", {.image_size = -16}},
      {"guidance branches: 4", {.guidance_branches = 4}},
      {"group size: 0", {.group_size = 0}},
      {"context tokens: -1", {.context_tokens = -1}},
      {"LoRA rank: -1", {.lora_rank = -1}},
      {"[nothing] match no tensor", {.trainable = {"nothing"}}},
      {"match no tensor", {.trainable = {"layernorm"}, .lora_rank = 4}},
  };
  for (const auto& [words, options] : cases) {
    const absl::Status status = PlanMemory(BagelConfig(), options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(Message(status), HasSubstr(words));
  }
}

TEST(MemoryPlan, SurvivesSizesBeyondAnyMemory) {
  BagelConfig config;
  config.hidden = config.mlp = 1 << 20, config.heads = config.kv_heads = 1, config.layers = 512;
  config.max_latent_side = 4096, config.latent_patch = 64;
  config.autoencoder.ch = 4096, config.autoencoder.ch_mult = {64, 64, 64, 64, 64, 64, 64, 64};
  const auto plan = PlanMemory(config, {.dtype = torch::kFloat32,
                                        .image_size = int64_t{4096} * 64 * 128,
                                        .group_size = 4096,
                                        .context_tokens = 1 << 20});
  ASSERT_TRUE(plan.ok()) << plan.status();
  for (const RoleMemory& role : plan->roles) EXPECT_GT(role.total(), 0) << role.role;
}

// --- Inspection.

TEST(Inspect, CountsWhatIsThereWithoutReadingIt) {
  const TemporaryFolder folder;
  const std::string base = Synthesized(folder);
  const auto inspection = InspectBagel(base, {.trainable = {"_moe_gen"}});
  ASSERT_TRUE(inspection.ok()) << inspection.status();
  int64_t parameters = 0, tensors = 0, bytes = 0;
  std::map<std::string, int64_t> by_part;
  for (const auto& [part, size] : inspection->parts) {
    EXPECT_GT(size.tensors, 0) << part;
    by_part[part] = size.parameters;
    parameters += size.parameters, tensors += size.tensors, bytes += size.bytes;
  }
  EXPECT_EQ(by_part.size(), 9u);
  EXPECT_EQ(by_part["understanding half"], by_part["generation half"]);
  EXPECT_EQ(by_part["embeddings and head"], 2 * 300 * 32);
  EXPECT_EQ(by_part["position tables"], 2 * 16 * 32);
  EXPECT_EQ(inspection->total.parameters, parameters);
  EXPECT_EQ(inspection->total.tensors, tensors);
  EXPECT_EQ(inspection->total.bytes, bytes);
  EXPECT_EQ(inspection->dtypes.at("F32").parameters, by_part["autoencoder"]);
  EXPECT_EQ(inspection->dtypes.at("BF16").bytes, 2 * (parameters - by_part["autoencoder"]));
  EXPECT_EQ(inspection->memory.trained_parameters, by_part["generation half"]);

  const nlohmann::json json = InspectionJson(*inspection);
  EXPECT_EQ(json["total"]["parameters"], parameters);
  EXPECT_EQ(json["memory"]["roles"]["learner"]["bytes"], inspection->memory.roles[1].total());
  EXPECT_THAT(InspectionTable(*inspection),
              AllOf(HasSubstr("vision tower"), HasSubstr("reward server"), HasSubstr("BF16")));
}

TEST(Inspect, FailsAsLoadingDoes) {
  const TemporaryFolder folder;
  const std::string base = Synthesized(folder);
  std::filesystem::remove(base + "/ae.safetensors");
  EXPECT_THAT(Message(InspectBagel(base).status()), HasSubstr("ae.safetensors"));
  const std::string weights = base + "/ema.safetensors";
  std::filesystem::resize_file(weights, std::filesystem::file_size(weights) - 1);
  EXPECT_TRUE(absl::IsDataLoss(InspectBagel(base).status()));
  EXPECT_TRUE(absl::IsNotFound(InspectBagel(folder / "nowhere").status()));
}

// --- Synthesis.

TEST(Synthesize, MakesAFolderThatLoadsAndRuns) {
  const TemporaryFolder folder;
  const std::string base = Synthesized(folder, {.dtype = torch::kFloat32});
  auto opened = OpenBagelFolder(base);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const auto model = Bagel::Create(opened->config, *opened->weights.Read(), base);
  ASSERT_TRUE(model.ok()) << model.status();
  const torch::Tensor v =
      model->Velocity(model->PrefillPrompt({65, 66}), torch::randn({2, 16, 4}), torch::full({2}, .5f), 4, 4);
  EXPECT_TRUE(v.isfinite().all().item<bool>());
  EXPECT_GT(v.abs().max().item<double>(), 0);
  EXPECT_TRUE(Close(model->tensors().at("latent_pos_embed.pos_embed"), SinCosTable(32, 4)));
  EXPECT_EQ(opened->config.start_of_image, ByteTokenizerIds::kVisionStart);
  EXPECT_TRUE(OpenAutoencoder(base, opened->config.autoencoder).ok());
  // Deviations follow the fan-in; outputs of layers are smaller by sqrt(2 x 2 layers).
  const std::string mlp = "language_model.model.layers.0.mlp.";
  EXPECT_NEAR(model->tensors().at(mlp + "up_proj.weight").std().item<double>(), 1 / std::sqrt(32.0), .01);
  EXPECT_NEAR(model->tensors().at(mlp + "down_proj.weight").std().item<double>(), .5 / std::sqrt(48.0), .01);
}

TEST(Synthesize, IsAFunctionOfItsSeed) {
  const auto digest = [](const SynthesizeOptions& options) {
    const TemporaryFolder folder;
    return DigestOf(ReadAll(Synthesized(folder, options)));
  };
  EXPECT_EQ(digest({.seed = 7}), digest({.seed = 7, .max_shard_bytes = 5000}));
  EXPECT_NE(digest({.seed = 7}), digest({.seed = 8}));
}

TEST(Synthesize, MakesAByteLevelTokenizer) {
  const TemporaryFolder folder;
  const nlohmann::json json = nlohmann::json::parse(*ReadFile(Synthesized(folder) + "/tokenizer.json"));
  const nlohmann::json& vocabulary = json["model"]["vocab"];
  EXPECT_EQ(vocabulary.size(), 256u);
  EXPECT_EQ(vocabulary["!"], 0);
  EXPECT_EQ(vocabulary["\u0120"], 220);  // the blank, as in Qwen2's vocabulary
  EXPECT_EQ(json["added_tokens"][1]["content"], "<|im_start|>");
  EXPECT_EQ(json["added_tokens"][1]["id"], 257);
}

TEST(Synthesize, RefusesWhatCannotBeAModelAndLeavesNothing) {
  const TemporaryFolder folder;
  SynthesizeOptions options{.config = SmallConfig()};
  options.config.vocabulary = 260;
  EXPECT_THAT(Message(SynthesizeBagel(options, folder / "a")), HasSubstr("261 tokens"));
  options.config = SmallConfig();
  options.config.heads = 5;
  EXPECT_THAT(Message(SynthesizeBagel(options, folder / "a")), HasSubstr("out of range or inconsistent"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  std::filesystem::create_directory(folder / "a");
  const absl::Status status = SynthesizeBagel({.config = SmallConfig()}, folder / "a");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

// --- Export.

TEST(Export, PutsTrainedTensorsIntoTheBaseAndCopiesTheRest) {
  const TemporaryFolder folder;
  const std::string base = Synthesized(folder), out = folder / "out";
  TensorMap expected = ReadAll(base);
  torch::manual_seed(4);
  TensorMap trained;
  for (auto& [name, tensor] : expected) {
    if (!absl::StrContains(name, "q_proj_moe_gen")) continue;
    trained[name] = torch::randn(tensor.sizes());
    tensor = trained[name].to(torch::kBFloat16);  // as the base stores it
  }
  ASSERT_TRUE(ExportBagel(base, trained, out).ok());
  EXPECT_EQ(DigestOf(ReadAll(out)), DigestOf(expected));
  for (const char* name : {"config.json", "llm_config.json", "vit_config.json", "tokenizer.json",
                           "tokenizer_config.json", "ae.safetensors"})
    EXPECT_EQ(*ReadFile(out + "/" + name), *ReadFile(base + "/" + name)) << name;
  EXPECT_TRUE(absl::IsFailedPrecondition(ExportBagel(base, trained, out)));  // exists

  // Wide, nothing is lost of what was trained.
  const std::string wide = folder / "wide";
  ASSERT_TRUE(ExportBagel(base, trained, wide, {.dtype = torch::kFloat32}).ok());
  const TensorMap got = ReadAll(wide);
  for (const auto& [name, tensor] : trained) EXPECT_TRUE(torch::equal(got.at(name), tensor)) << name;
  EXPECT_EQ(got.at("vae2llm.weight").scalar_type(), torch::kFloat32);
}

TEST(Export, WritesShardsThatReadBackTheSame) {
  const TemporaryFolder folder;
  const std::string base = Synthesized(folder), out = folder / "out";
  constexpr int64_t kLimit = 6000;
  ASSERT_TRUE(ExportBagel(base, TensorMap(), out, {.max_shard_bytes = kLimit}).ok());
  EXPECT_EQ(DigestOf(ReadAll(out)), DigestOf(ReadAll(base)));
  EXPECT_FALSE(std::filesystem::exists(out + "/ema.safetensors"));
  const auto index = OpenCheckpoint(out, {"model"});
  ASSERT_TRUE(index.ok()) << index.status();
  EXPECT_GT(index->files.size(), 3u);
  EXPECT_THAT(index->files[0]->path(), HasSubstr("model-00001-of-000"));
  std::map<size_t, std::pair<int64_t, int>> shards;  // bytes and tensors
  int64_t total = 0;
  for (const auto& [name, tensor] : index->tensors) {
    shards[tensor.file].first += static_cast<int64_t>(tensor.bytes());
    ++shards[tensor.file].second;
    total += static_cast<int64_t>(tensor.bytes());
  }
  for (const auto& [file, size] : shards) EXPECT_TRUE(size.first <= kLimit || size.second == 1) << file;
  const nlohmann::json json = nlohmann::json::parse(*ReadFile(out + "/model.safetensors.index.json"));
  EXPECT_EQ(json["metadata"]["total_size"], total);
}

TEST(Export, MergesAdaptersIntoTheirLayers) {
  const TemporaryFolder folder;
  const std::string base = Synthesized(folder, {.dtype = torch::kFloat32}), out = folder / "out";
  const LoraConfig config = {.rank = 3, .alpha = 5, .modules = {"mlp_moe_gen", "o_proj_moe_gen"}};
  TensorMap tensors = ReadAll(base);
  ASSERT_TRUE(AddLora(tensors, config, 4).ok());
  torch::manual_seed(5);
  for (auto& [name, tensor] : tensors) {
    if (absl::EndsWith(name, kLoraB)) tensor = torch::randn(tensor.sizes());
  }
  ASSERT_TRUE(SaveAdapter(folder / "adapter", tensors, config, "base").ok());
  ASSERT_TRUE(ExportBagel(base, TensorMap(), out, {.adapter = folder / "adapter"}).ok());
  const TensorMap got = ReadAll(out), expected = *MergeLora(tensors, config);
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [name, tensor] : expected) EXPECT_TRUE(Close(got.at(name), tensor, 1e-6)) << name;
  EXPECT_FALSE(torch::equal(got.at("language_model.model.layers.0.mlp_moe_gen.up_proj.weight"),
                            tensors.at("language_model.model.layers.0.mlp_moe_gen.up_proj.weight")));
}

TEST(Export, RefusesTensorsThatTheBaseHasNoPlaceFor) {
  const TemporaryFolder folder;
  const std::string base = Synthesized(folder);
  const absl::Status status = ExportBagel(
      base, TensorMap{{"lora.a", torch::zeros({2})}, {"vae2llm.bias", torch::zeros({3})}}, folder / "out");
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(Message(status), AllOf(HasSubstr("lora.a"), HasSubstr("vae2llm.bias [3] instead of [32]")));
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

TEST(Export, FindsTheNewestCheckpointOfARunAndChecksIt) {
  const TemporaryFolder folder;
  const auto save = [&](const std::string& checkpoint, float value) {
    const std::string path = folder / ("run/checkpoints/" + checkpoint);
    std::filesystem::create_directories(path);
    EXPECT_TRUE(SaveTensors(path + "/policy.safetensors", {{"vae2llm.bias", torch::full({32}, value)}}).ok());
    const std::string digest = Sha256Hex(*ReadFile(path + "/policy.safetensors"));
    const nlohmann::json manifest = {{"format", 1}, {"files", {{"policy.safetensors", digest}}}};
    EXPECT_TRUE(WriteFileAtomic(path + "/manifest.json", manifest.dump()).ok());
    return path;
  };
  save("step_000002", 2);
  const std::string newest = save("step_000010", 10);
  save("step_000011.unfinished", 11);
  for (const std::string& path : {folder / "run", newest, newest + "/policy.safetensors"}) {
    const auto weights = OpenTrainedWeights(path);
    ASSERT_TRUE(weights.ok()) << path << ": " << weights.status();
    EXPECT_EQ(weights->Read()->at("vae2llm.bias")[0].item<float>(), 10) << path;
  }
  const std::string base = Synthesized(folder), out = folder / "out";
  ASSERT_TRUE(ExportBagel(base, *OpenTrainedWeights(folder / "run"), out).ok());
  EXPECT_EQ(ReadAll(out).at("vae2llm.bias")[31].item<float>(), 10);

  ASSERT_TRUE(SaveTensors(newest + "/policy.safetensors", {{"vae2llm.bias", torch::zeros({32})}}).ok());
  const absl::Status damaged = OpenTrainedWeights(folder / "run").status();
  EXPECT_TRUE(absl::IsDataLoss(damaged)) << damaged;
  EXPECT_TRUE(absl::IsNotFound(OpenTrainedWeights(folder.path()).status()));
}

}  // namespace
}  // namespace lvrpo
