// What PEFT's files may say beyond one rank and one scale for all layers.
#include <cmath>

#include "gmock/gmock.h"
#include "tests/model/saved_adapter.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kFirst[] = "model.layers.0.up", kSecond[] = "model.layers.1.up";

// Sets a member of the configuration to a text of JSON, whose keys keep their order.
void Set(const SavedAdapter& saved, const std::string& key, const std::string& json) {
  auto config = nlohmann::ordered_json::parse(*ReadFile(saved.file("adapter_config.json")));
  config[key] = nlohmann::ordered_json::parse(json);
  ASSERT_TRUE(WriteFileAtomic(saved.file("adapter_config.json"), config.dump()).ok());
}

std::string MessageOf(const SavedAdapter& saved) { return std::string(saved.Load().status().message()); }

// Adapters of rank 2 on two layers, lora_alpha 5.
TEST(LoadAdapter, TakesTheScaleOfALayerFromTheFirstPatternThatItsEndMatches) {
  const struct {
    std::string alphas;
    double first, second;
  } cases[] = {
      {R"({})", 2.5, 2.5},
      {R"({"up": 10})", 5, 5},
      {R"({"layers.0.up": 10})", 5, 2.5},
      {R"({"1.up": 3})", 2.5, 1.5},
      {R"({"model.layers.1.up": 8})", 2.5, 4},
      {R"({"^model.layers.1.up": 8})", 2.5, 4},
      {R"({"layers\\.[0-9]+\\.up": 8})", 4, 4},
      {R"({".*\\.1\\..*": 8})", 2.5, 4},
      {R"({"layers.0.up": 20, "up": 10})", 10, 5},
      {R"({"up": 10, "layers.0.up": 20})", 5, 5},
      {R"({"0.up|1.up": 1})", .5, .5},
      // A part of a name is no match, nor is its beginning.
      {R"({"p": 10})", 2.5, 2.5},
      {R"({"model.layers.0": 10})", 2.5, 2.5},
      {R"({"layers.0.up_moe": 10, "down": 3})", 2.5, 2.5},
  };
  const SavedAdapter saved;
  Set(saved, "use_rslora", "false");
  for (const auto& test : cases) {
    Set(saved, "alpha_pattern", test.alphas);
    const auto adapter = saved.Load();
    ASSERT_TRUE(adapter.ok()) << test.alphas << adapter.status();
    EXPECT_DOUBLE_EQ(adapter->scales.at(kFirst), test.first) << test.alphas;
    EXPECT_DOUBLE_EQ(adapter->scales.at(kSecond), test.second) << test.alphas;
  }
}

TEST(LoadAdapter, TakesTheRankOfALayerByPattern) {
  const SavedAdapter saved;
  saved.EditTensors([](TensorMap& tensors) {
    tensors["base_model.model.model.layers.1.up.lora_A.weight"] = torch::ones({4, 5});
    tensors["base_model.model.model.layers.1.up.lora_B.weight"] = torch::ones({6, 4});
  });
  EXPECT_THAT(MessageOf(saved), HasSubstr("[4,5] instead of [2,5]"));
  Set(saved, "rank_pattern", R"({"layers.1.up": 4})");
  Set(saved, "alpha_pattern", R"({"layers.1.up": 6})");
  for (const bool rslora : {false, true}) {
    Set(saved, "use_rslora", rslora ? "true" : "false");
    const auto adapter = saved.Load();
    ASSERT_TRUE(adapter.ok()) << adapter.status();
    EXPECT_DOUBLE_EQ(adapter->scales.at(kFirst), rslora ? 5 / std::sqrt(2.0) : 2.5);
    EXPECT_DOUBLE_EQ(adapter->scales.at(kSecond), rslora ? 3 : 1.5);
    EXPECT_EQ(adapter->tensors.at(absl::StrCat(kSecond, kLoraA)).size(0), 4);
  }
  Set(saved, "rank_pattern", R"({"up": 4})");
  EXPECT_THAT(MessageOf(saved), HasSubstr("model.layers.0.up.lora_A.weight [2,5] instead of [4,5]"));
}

TEST(LoadAdapter, ReadsModulesThatWereTrainedWhole) {
  const SavedAdapter saved;
  const std::string table = "base_model.model.model.embed_tokens.weight";
  const torch::Tensor trained = torch::full({9, 5}, 3.f);
  saved.EditTensors([&](TensorMap& tensors) { tensors[table] = trained; });
  EXPECT_THAT(MessageOf(saved), HasSubstr("modules_to_save names: 1 (" + table));
  for (const char* modules : {R"(["embed_tokens"])", R"(["model.embed_tokens"])", R"(["tokens"])"}) {
    Set(saved, "modules_to_save", modules);
    const auto adapter = saved.Load();
    ASSERT_TRUE(adapter.ok()) << modules << adapter.status();
    ASSERT_EQ(adapter->whole.size(), 1u);
    EXPECT_TRUE(torch::equal(adapter->whole.at("model.embed_tokens.weight"), trained));
    EXPECT_EQ(adapter->config.modules.size(), 2u);
  }
  Set(saved, "modules_to_save", R"(["embed_tokens", "norm"])");
  EXPECT_THAT(MessageOf(saved), HasSubstr("missing tensors 1 (model.layers.1.norm.weight)"));
  Set(saved, "modules_to_save", R"(["embed_tokens", "lm_head"])");
  EXPECT_THAT(MessageOf(saved), HasSubstr("modules_to_save names lm_head, which the base does not have"));
  Set(saved, "modules_to_save", R"(["embed_tokens", "up"])");
  EXPECT_THAT(MessageOf(saved), HasSubstr("is an adapter of a module that modules_to_save names too"));
  Set(saved, "modules_to_save", R"(["embed_tokens"])");
  saved.EditTensors([&](TensorMap& tensors) { tensors[table] = torch::zeros({8, 5}); });
  EXPECT_THAT(MessageOf(saved), HasSubstr("embed_tokens.weight [8,5] instead of [9,5]"));
}

// Which of two values is meant nobody knows, wherever they stand.
TEST(LoadAdapter, RefusesKeysThatAreGivenTwice) {
  for (const std::string& members :
       {std::string(R"("r": 4, )"), std::string(R"("lora_alpha": 1, )"),
        std::string(R"("target_modules": [], )"), std::string(R"("rank_pattern": {"up": 2, "up": 4}, )"),
        std::string(R"("note": {"a": 1, "a": 2}, )")}) {
    const SavedAdapter saved;
    std::string text = *ReadFile(saved.file("adapter_config.json"));
    text.insert(text.find('{') + 1, members);
    ASSERT_TRUE(WriteFileAtomic(saved.file("adapter_config.json"), text).ok());
    EXPECT_THAT(MessageOf(saved), HasSubstr("is given twice")) << text;
  }
}

// As they are in memory, saved without PEFT.
TEST(LoadAdapter, ReadsNamesWithTheAdaptersName) {
  const auto rename = [](const SavedAdapter& saved, const std::function<std::string(std::string)>& change) {
    saved.EditTensors([&](TensorMap& tensors) {
      TensorMap renamed;
      for (const auto& [name, tensor] : tensors) renamed[change(name)] = tensor;
      tensors = renamed;
    });
  };
  const auto with = [](const std::string& name) {
    return [name](std::string tensor) { return tensor.insert(tensor.rfind(".weight"), "." + name); };
  };
  for (const char* name : {"default", "mine"}) {
    const SavedAdapter saved;
    rename(saved, with(name));
    const auto adapter = saved.Load();
    ASSERT_TRUE(adapter.ok()) << adapter.status();
    EXPECT_EQ(DigestOf(adapter->tensors), DigestOf(SomeAdapters()));
  }
  const SavedAdapter whole;
  whole.EditTensors([](TensorMap& tensors) {
    tensors["base_model.model.model.embed_tokens.modules_to_save.default.weight"] = torch::ones({9, 5});
  });
  Set(whole, "modules_to_save", R"(["embed_tokens"])");
  ASSERT_TRUE(whole.Load().ok()) << whole.Load().status();
  EXPECT_TRUE(whole.Load()->whole.contains("model.embed_tokens.weight"));
  const SavedAdapter two;
  rename(two, [&](const std::string& tensor) {
    return with(tensor.find("layers.0") != std::string::npos ? "first" : "second")(tensor);
  });
  EXPECT_THAT(MessageOf(two), HasSubstr("holds several adapters (first, second)"));
}

TEST(LoadAdapter, ReadsNamesWithAnotherCommonPrefix) {
  for (const std::string prefix : {"", "module.base_model.model.", "model.", "_orig_mod."}) {
    const SavedAdapter saved;
    saved.EditTensors([&](TensorMap& tensors) {
      TensorMap renamed;
      for (const auto& [name, tensor] : SomeAdapters()) renamed[prefix + name] = tensor;
      tensors = renamed;
    });
    const auto adapter = saved.Load();
    ASSERT_TRUE(adapter.ok()) << prefix << adapter.status();
    EXPECT_EQ(DigestOf(adapter->tensors), DigestOf(SomeAdapters()));
  }
}

TEST(LoadAdapter, KnowsTheKeywordForEveryLinearLayer) {
  const SavedAdapter saved;
  Set(saved, "target_modules", R"("all-linear")");
  EXPECT_TRUE(saved.Load().ok()) << saved.Load().status();
  Set(saved, "exclude_modules", R"(["layers.1.up"])");
  EXPECT_THAT(MessageOf(saved), HasSubstr("not targeted but adapted 1 (model.layers.1.up)"));
}

TEST(LoadAdapter, RefusesValuesThatAreNotFinite) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    const SavedAdapter saved;
    saved.EditTensors(
        [&](TensorMap& tensors) { tensors["base_model.model.model.layers.0.up.lora_B.weight"][3][1] = bad; });
    const absl::Status status = saved.Load().status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("adapter_model.safetensors"),
                      HasSubstr("layers.0.up.lora_B.weight has 1 values"), HasSubstr("not finite")));
  }
}

}  // namespace
}  // namespace lvrpo
