#include "model/weights/lora_file.h"

#include <filesystem>
#include <functional>

#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/model/saved_adapter.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(LoraFile, ComesBackAsItWasSaved) {
  const SavedAdapter saved;
  const auto adapter = saved.Load();
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  EXPECT_EQ(DigestOf(adapter->tensors), DigestOf(SomeAdapters()));
  EXPECT_EQ(adapter->config.rank, 2);
  EXPECT_EQ(adapter->config.alpha, 5);
  EXPECT_TRUE(adapter->config.rslora);
  EXPECT_THAT(adapter->config.modules, ElementsAre("model.layers.0.up", "model.layers.1.up"));
  EXPECT_EQ(adapter->base_model, "some/base");
}

TEST(LoraFile, IsTheSameBytesWhenItIsSavedAgainOrWithTheWholeModel) {
  const SavedAdapter saved;
  const auto adapter = saved.Load();
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  TensorMap whole = adapter->tensors;
  for (const auto& [name, shape] : kBase) whole[name] = torch::zeros(shape);
  for (const auto& [folder, tensors] : {std::pair{"again", adapter->tensors}, {"whole", whole}}) {
    const std::string path = saved.file(folder);
    ASSERT_TRUE(SaveAdapter(path, tensors, adapter->config, adapter->base_model).ok());
    for (const char* name : {"adapter_config.json", "adapter_model.safetensors"}) {
      EXPECT_EQ(*ReadFile(JoinPath(path, name)), *ReadFile(saved.file(name))) << folder << " " << name;
    }
  }
}

TEST(LoraFile, SpeaksPeftsNames) {
  const SavedAdapter saved;
  const TensorMap tensors = *LoadTensors(saved.file("adapter_model.safetensors"));
  EXPECT_EQ(tensors.size(), 4u);
  EXPECT_TRUE(tensors.contains("base_model.model.model.layers.0.up.lora_A.weight"));
  const nlohmann::json json = nlohmann::json::parse(*ReadFile(saved.file("adapter_config.json")));
  EXPECT_EQ(json, nlohmann::json::parse(R"({
    "peft_type": "LORA", "task_type": null, "base_model_name_or_path": "some/base", "r": 2, "lora_alpha": 5,
    "use_rslora": true, "target_modules": ["model.layers.0.up", "model.layers.1.up"], "rank_pattern": {},
    "alpha_pattern": {}, "bias": "none", "modules_to_save": null, "use_dora": false, "fan_in_fan_out": false,
    "init_lora_weights": true, "lora_dropout": 0.0, "inference_mode": true})"));
}

TEST(LoraFile, KeepsHalfPrecisionAndFractionsOfAlphaOnDisk) {
  const TemporaryFolder folder;
  TensorMap tensors = SomeAdapters();
  for (auto& [name, tensor] : tensors) tensor = tensor.to(torch::kBFloat16);
  LoraConfig config = SomeConfig();
  config.alpha = 2.5;
  ASSERT_TRUE(SaveAdapter(folder.path(), tensors, config, "").ok());
  EXPECT_EQ(LoadTensors(folder / "adapter_model.safetensors", std::nullopt)->begin()->second.scalar_type(),
            torch::kBFloat16);
  const auto adapter = LoadAdapter(folder.path(), kBase);
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  EXPECT_EQ(adapter->config.alpha, 2.5);
  EXPECT_EQ(adapter->base_model, "");
  const std::string name = "model.layers.1.up.lora_B.weight";
  EXPECT_EQ(adapter->tensors.at(name).scalar_type(), torch::kFloat32);
  EXPECT_TRUE(torch::equal(adapter->tensors.at(name), tensors.at(name).to(torch::kFloat32)));
}

TEST(SaveAdapter, RefusesWhatLoadAdapterWouldRefuse) {
  const TemporaryFolder folder;
  const auto save = [&](const std::function<void(TensorMap&, LoraConfig&)>& damage) {
    TensorMap tensors = SomeAdapters();
    LoraConfig config = SomeConfig();
    damage(tensors, config);
    return SaveAdapter(folder / "out", tensors, config, "");
  };
  const struct {
    std::function<void(TensorMap&, LoraConfig&)> damage;
    std::string words;
  } cases[] = {
      {[](TensorMap& t, LoraConfig&) { t.erase("model.layers.0.up.lora_A.weight"); },
       "missing tensors 1 (model.layers.0.up.lora_A.weight)"},
      {[](TensorMap& t, LoraConfig&) { t.erase("model.layers.0.up.lora_B.weight"); },
       "missing tensors 1 (model.layers.0.up.lora_B.weight)"},
      {[](TensorMap&, LoraConfig& c) { c.rank = 3; }, "[2,5] instead of [3,5]"},
      {[](TensorMap& t, LoraConfig&) {
         t["model.layers.0.up.lora_A.weight"] = torch::zeros({2, 5, 1});
       },
       "model.layers.0.up.lora_A.weight [2,5,1]"},
      {[](TensorMap& t, LoraConfig&) { t.clear(); }, "holds no LoRA adapter"},
  };
  for (const auto& [damage, words] : cases) {
    const absl::Status status = save(damage);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
    EXPECT_FALSE(std::filesystem::exists(folder / "out")) << words;
  }
}

// --- Settings.

TEST(LoadAdapter, NamesTheSettingThatItCannotHonour) {
  const struct {
    std::string key;
    nlohmann::json value;
    std::string words;
  } cases[] = {
      {"peft_type", "IA3", "peft_type is \"IA3\"; supported: LORA"},
      {"peft_type", nullptr, "peft_type is missing"},
      {"r", nullptr, "r is missing"},
      {"r", 0, "r is below 1"},
      {"r", -4, "r is below 1"},
      {"r", 2.5, "r is 2.5, want a whole number"},
      {"r", "2", "r is \"2\", want a whole number"},
      {"lora_alpha", "big", "lora_alpha is \"big\", want a number"},
      {"lora_alpha", 0, "lora_alpha is not above 0"},
      {"use_rslora", 1, "use_rslora is 1, want true or false"},
      {"bias", "all", "bias is \"all\"; supported: none"},
      {"use_dora", true, "use_dora is set, which is not supported"},
      {"modules_to_save", 3, "modules_to_save is neither a text nor a list of texts"},
      {"rank_pattern", {{"up", 0}}, "rank_pattern.up is no whole number above 0"},
      {"rank_pattern", {{"up", 1.5}}, "rank_pattern.up is no whole number above 0"},
      {"rank_pattern", {"up"}, "rank_pattern is [\"up\"], want an object"},
      {"rank_pattern", {{"(", 2}}, "rank_pattern.( is a regular expression that cannot be read"},
      {"rank_pattern", {{"(?!x)up", 2}}, "rank_pattern.(?!x)up is no expression that RE2 knows"},
      {"alpha_pattern", {{"up", "4"}}, "alpha_pattern.up is no number above 0"},
      {"alpha_pattern", {{"up", 0}}, "alpha_pattern.up is no number above 0"},
      {"layers_to_transform", "1", "layers_to_transform is neither a whole number nor a list"},
      {"layers_to_transform", {-1}, "layers_to_transform is neither a whole number nor a list"},
      {"layers_pattern", 3, "layers_pattern is neither a text nor a list of texts"},
      {"fan_in_fan_out", true, "fan_in_fan_out is set"},
      {"lora_bias", true, "lora_bias is set"},
      {"layer_replication", {{0, 1}}, "layer_replication is set"},
      {"target_parameters", {"x"}, "target_parameters is set"},
      {"trainable_token_indices", {1}, "trainable_token_indices is set"},
      {"use_qalora", true, "use_qalora is set"},
      {"something_new", "yes", "something_new is set"},
      {"something_new", 3, "something_new is set"},
      {"init_lora_weights", "pissa", "init_lora_weights is \"pissa\"; supported: gaussian, eva, orthogonal"},
      {"init_lora_weights", 3, "init_lora_weights is 3"},
      {"target_modules", nullptr, "target_modules is missing"},
      {"target_modules", 3, "target_modules is neither a list of module names nor a regular expression"},
      {"target_modules", {"up", 3}, "target_modules is neither"},
      {"target_modules", "(", "target_modules is a regular expression that cannot be read: missing )"},
      {"target_modules", ".*(a)\\1", "target_modules is a regular expression that cannot be read"},
      {"exclude_modules", "[", "exclude_modules is a regular expression that cannot be read"},
  };
  const SavedAdapter saved;
  const std::string original = *ReadFile(saved.file("adapter_config.json"));
  for (const auto& [key, value, words] : cases) {
    ASSERT_TRUE(WriteFileAtomic(saved.file("adapter_config.json"), original).ok());
    saved.EditConfig([&](nlohmann::json& json) { json[key] = value; });
    const absl::Status status = saved.Load().status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << key << " " << value << ": " << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("adapter_config.json"), HasSubstr(words)));
  }
  saved.EditConfig([](nlohmann::json& json) { json = {{"peft_type", "LOHA"}, {"bias", "all"}, {"r", 0}}; });
  EXPECT_THAT(std::string(saved.Load().status().message()),
              AllOf(HasSubstr("LOHA"), HasSubstr("bias"), HasSubstr("r is below"),
                    HasSubstr("lora_alpha is missing"), HasSubstr("target_modules is missing")));
}

TEST(LoadAdapter, AllowsSettingsThatSteerTrainingAndUnknownOnesThatAreOff) {
  const SavedAdapter saved;
  saved.EditConfig([](nlohmann::json& json) {
    json["lora_dropout"] = .1, json["inference_mode"] = false, json["task_type"] = "CAUSAL_LM";
    json["peft_version"] = "0.21.2", json["megatron_core"] = "megatron.core", json["revision"] = "main";
    json["auto_mapping"] = {{"base_model_class", "X"}}, json["init_lora_weights"] = "gaussian";
    json["eva_config"] = {{"rho", 2}}, json["qalora_group_size"] = 16;
    json["new_off"] = false, json["new_zero"] = 0, json["new_null"] = nullptr, json["new_empty"] = "";
    json["new_list"] = nlohmann::json::array(), json["new_object"] = nlohmann::json::object();
  });
  const auto adapter = saved.Load();
  EXPECT_TRUE(adapter.ok()) << adapter.status();
}

TEST(LoadAdapter, HoldsTheTargetsAgainstTheTensors) {
  const std::string extra = "not targeted but adapted ", without = "targeted but without adapter ";
  const struct {
    nlohmann::json targets, excluded;
    std::string words;  // empty: fits
  } cases[] = {
      {{"up"}, nullptr, ""},
      {{"model.layers.0.up", "model.layers.1.up"}, nullptr, ""},
      {{"layers.0.up", "1.up"}, nullptr, ""},
      {"model\\.layers\\.[01]\\.up", nullptr, ""},
      {"(?:.*\\.)?up$", nullptr, ""},
      {".*up(_moe)?", ".*_moe", ""},
      {{"up", "up_moe"}, {"up_moe"}, ""},
      {"^(?!.*moe).*up$", nullptr, ""},  // look-around: goes unchecked
      {{"up"}, "(?<!x)y", ""},
      // A name's suffix matches only after a dot, and a regular expression must match the whole name.
      {{"p"}, nullptr, extra + "2 (model.layers.0.up, model.layers.1.up)"},
      {"up", nullptr, extra + "2 (model.layers.0.up, model.layers.1.up)"},
      {"layers\\.0\\.up", nullptr, extra + "2 (model.layers.0.up, model.layers.1.up)"},
      {{"layers.0.up"}, nullptr, extra + "1 (model.layers.1.up)"},
      {{"up"}, {"layers.0.up"}, extra + "1 (model.layers.0.up)"},
      {nlohmann::json::array(), nullptr, extra + "2"},
      {{"up", "down"}, nullptr, without + "1 (model.layers.0.down)"},
      {".*up.*", nullptr, without + "1 (model.layers.1.up_moe)"},
      {{"up", "embed_tokens"}, nullptr, without + "1 (model.embed_tokens)"},
      {{"up", "norm"}, nullptr, ""},  // nothing that an adapter could be on
  };
  const SavedAdapter saved;
  for (const auto& [targets, excluded, words] : cases) {
    saved.EditConfig([&, &targets = targets, &excluded = excluded](nlohmann::json& json) {
      json["target_modules"] = targets;
      json["exclude_modules"] = excluded;
    });
    const auto adapter = saved.Load();
    if (words.empty()) {
      EXPECT_TRUE(adapter.ok()) << targets << ": " << adapter.status();
      continue;
    }
    EXPECT_TRUE(absl::IsDataLoss(adapter.status())) << targets << ": " << adapter.status();
    EXPECT_THAT(std::string(adapter.status().message()), HasSubstr(words)) << targets;
  }
}

TEST(LoadAdapter, HoldsTheLayersThatWereTransformedAgainstTheTensors) {
  for (const nlohmann::json& layers : {nlohmann::json::array({0}), nlohmann::json(0)}) {
    const SavedAdapter saved;
    saved.EditTensors([](TensorMap& tensors) {
      std::erase_if(tensors,
                    [](const auto& entry) { return entry.first.find("layers.1") != std::string::npos; });
    });
    saved.EditConfig([](nlohmann::json& json) { json["target_modules"] = {"up"}; });
    EXPECT_TRUE(absl::IsDataLoss(saved.Load().status()));
    saved.EditConfig([&](nlohmann::json& json) { json["layers_to_transform"] = layers; });
    for (const nlohmann::json& names :
         {nlohmann::json(), nlohmann::json("layers"), nlohmann::json({"h", "layers"}),
          nlohmann::json::array(), nlohmann::json("")}) {
      saved.EditConfig([&](nlohmann::json& json) { json["layers_pattern"] = names; });
      const auto adapter = saved.Load();
      ASSERT_TRUE(adapter.ok()) << names << adapter.status();
      EXPECT_THAT(adapter->config.modules, ElementsAre("model.layers.0.up"));
    }
    saved.EditConfig([&](nlohmann::json& json) { json["layers_pattern"] = "blocks"; });
    EXPECT_THAT(std::string(saved.Load().status().message()), HasSubstr("not targeted but adapted 1"));
    saved.EditConfig([&](nlohmann::json& json) {
      json["layers_pattern"] = nullptr;
      json["layers_to_transform"] = 1;
    });
    EXPECT_THAT(std::string(saved.Load().status().message()),
                AllOf(HasSubstr("not targeted but adapted 1 (model.layers.0.up)"),
                      HasSubstr("targeted but without adapter 1 (model.layers.1.up)")));
  }
}

// --- Tensors.

TEST(LoadAdapter, NamesEveryTensorThatDoesNotFit) {
  const std::string a = "base_model.model.model.layers.0.up.lora_A.weight",
                    b = "base_model.model.model.layers.0.up.lora_B.weight";
  const struct {
    std::function<void(TensorMap&)> damage;
    std::string words;
  } cases[] = {
      {[&](TensorMap& t) { t.erase(b); }, "missing tensors 1 (model.layers.0.up.lora_B.weight)"},
      {[&](TensorMap& t) { t.erase(a); }, "missing tensors 1 (model.layers.0.up.lora_A.weight)"},
      {[&](TensorMap& t) {
         t[a] = torch::zeros({2, 6});
       },
       "model.layers.0.up.lora_A.weight [2,6] instead of [2,5]"},
      {[&](TensorMap& t) {
         t[b] = torch::zeros({6, 1});
       },
       "model.layers.0.up.lora_B.weight [6,1] instead of [6,2]"},
      {[&](TensorMap& t) { t[b] = torch::tensor(1.f); },
       "model.layers.0.up.lora_B.weight [] instead of [6,2]"},
      {[&](TensorMap& t) {
         t[b] = torch::zeros({6, 2}, torch::kInt32);
       },
       "dtype I32"},
      {[&](TensorMap& t) {
         t["base_model.model.model.layers.5.up.lora_A.weight"] = torch::zeros({2, 5});
       },
       "unexpected tensors 1 (model.layers.5.up.lora_A.weight)"},
      {[&](TensorMap& t) {
         t["base_model.model.model.layers.0.up.lora_magnitude_vector"] = torch::zeros({6});
       },
       "unexpected tensors 1 (model.layers.0.up.lora_magnitude_vector)"},
      {[&](TensorMap& t) {
         t["base_model.model.model.embed_tokens.weight"] = torch::zeros({9, 5});
       },
       "of no module that modules_to_save names: 1 (base_model.model.model.embed_tokens.weight)"},
      {[&](TensorMap& t) {
         t["model.layers.0.up.lora_A.weight"] = torch::zeros({2, 5});
       },
       "of no module that modules_to_save names: 1 (model.layers.0.up.lora_A.weight)"},
      {[&](TensorMap& t) { t.clear(); }, "holds no LoRA adapter"},
  };
  for (const auto& [damage, words] : cases) {
    const SavedAdapter saved;
    saved.EditTensors(damage);
    const absl::Status status = saved.Load().status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("adapter_model.safetensors"), HasSubstr(words)));
  }
}

TEST(LoadAdapter, RefusesAdaptersOfEmbeddings) {
  const SavedAdapter saved;
  saved.EditTensors([](TensorMap& tensors) {
    tensors["base_model.model.model.embed_tokens.lora_embedding_A"] = torch::zeros({2, 9});
  });
  const absl::Status status = saved.Load().status();
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("embed_tokens.lora_embedding_A"));
}

TEST(LoadAdapter, RefusesABaseOfOtherSizes) {
  const SavedAdapter saved;
  ShapeMap wider = kBase;
  wider["model.layers.1.up.weight"] = {8, 5};
  EXPECT_THAT(std::string(LoadAdapter(saved.path(), wider).status().message()),
              HasSubstr("model.layers.1.up.lora_B.weight [6,2] instead of [8,2]"));
}

// --- Files.

TEST(LoadAdapter, NamesTheFileThatIsMissing) {
  const SavedAdapter saved;
  ASSERT_TRUE(std::filesystem::remove(saved.file("adapter_model.safetensors")));
  absl::Status status = saved.Load().status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("adapter_model.safetensors"), Not(HasSubstr("pickle"))));
  ASSERT_TRUE(WriteFileAtomic(saved.file("adapter_model.bin"), "x").ok());
  status = saved.Load().status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("a pickle, which is not read"));
  ASSERT_TRUE(std::filesystem::remove(saved.file("adapter_config.json")));
  EXPECT_THAT(std::string(saved.Load().status().message()), HasSubstr("adapter_config.json"));
}

TEST(LoadAdapter, RefusesDamagedFiles) {
  const SavedAdapter saved;
  const std::string weights = *ReadFile(saved.file("adapter_model.safetensors"));
  for (const size_t size : {weights.size() - 1, size_t{100}, size_t{7}, size_t{0}}) {
    ASSERT_TRUE(WriteFileAtomic(saved.file("adapter_model.safetensors"), weights.substr(0, size)).ok());
    EXPECT_TRUE(absl::IsDataLoss(saved.Load().status())) << size << ": " << saved.Load().status();
  }
  for (const std::string& text :
       {std::string("{"), std::string("[]"), std::string(), std::string(100000, '[')}) {
    ASSERT_TRUE(WriteFileAtomic(saved.file("adapter_config.json"), text).ok());
    EXPECT_TRUE(absl::IsInvalidArgument(saved.Load().status())) << saved.Load().status();
  }
  std::filesystem::resize_file(saved.file("adapter_config.json"), uintmax_t{1} << 40);  // sparse
  EXPECT_THAT(std::string(saved.Load().status().message()), HasSubstr("too many for settings"));
}

}  // namespace
}  // namespace lvrpo
