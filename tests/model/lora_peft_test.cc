// Against the PEFT library: testdata/lora, made by tests/parity/make_lora_golden.py.

#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/qwen2.h"
#include "model/weights/lora_file.h"
#include "tests/testing/merge_lora.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;

std::string DataFile(const std::string& name) {
  return std::string(LVRPO_SOURCE_DIR "/tests/model/testdata/lora/") + name;
}

Qwen2 BaseModel() {
  auto model = Qwen2::Load(DataFile("base"));
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

TensorMap PeftLogits() { return *LoadTensors(DataFile("logits.safetensors")); }

torch::Tensor LogitsOf(const Qwen2& model, const torch::Tensor& ids) {
  KvCache cache;
  return model.Logits(model.Append(cache, ids));
}

TensorMap Together(TensorMap base, TensorMap adapters) {
  base.merge(adapters);
  return base;
}

// Merged weights give the logits that PEFT computes with base and adapter apart.
void ExpectPeftLogits(const TensorMap& tensors, const LoraConfig& config, const std::string& name) {
  const auto merged = MergeLora(tensors, config);
  ASSERT_TRUE(merged.ok()) << merged.status();
  const auto model = Qwen2::Create(BaseModel().config(), *merged, "merged");
  ASSERT_TRUE(model.ok()) << model.status();
  const TensorMap peft = PeftLogits();
  EXPECT_TRUE(Close(LogitsOf(*model, peft.at("ids")), peft.at(name), 1e-5)) << name;
}

TEST(LoraPeft, TheBaseItselfAgrees) {
  const TensorMap peft = PeftLogits();
  EXPECT_TRUE(Close(LogitsOf(BaseModel(), peft.at("ids")), peft.at("base"), 1e-5));
}

TEST(LoraPeft, AdaptersThatPeftSavedGivePeftsLogits) {
  const Qwen2 base = BaseModel();
  for (const auto& [name, layers] :
       {std::pair{"peft_all_linear", 14u}, {"peft_rslora_regex", 4u}, {"peft_one_layer_bf16", 2u}}) {
    const auto adapter = LoadAdapter(DataFile(name), ShapesOf(base.tensors()));
    ASSERT_TRUE(adapter.ok()) << adapter.status();
    EXPECT_EQ(adapter->config.modules.size(), layers) << name;
    EXPECT_EQ(adapter->base_model, "base");
    ExpectPeftLogits(Together(base.tensors(), adapter->tensors), adapter->config, name);
  }
  const auto one = LoadAdapter(DataFile("peft_one_layer_bf16"), ShapesOf(base.tensors()));
  EXPECT_THAT(one->config.modules,
              ElementsAre("model.layers.1.mlp.down_proj", "model.layers.1.self_attn.o_proj"));
}

// An adapter that differs from zero, of exact numbers: every machine gets the same bytes.
TensorMap OurTensors(const LoraConfig& config) {
  TensorMap tensors = BaseModel().tensors();
  EXPECT_TRUE(AddLora(tensors, config, 17).ok());
  for (auto& [name, tensor] : tensors) {
    if (name.ends_with(kLoraB))
      tensor = ((torch::arange(tensor.numel()) % 7).to(torch::kFloat32) - 3).view(tensor.sizes()) / 16;
  }
  return tensors;
}

// testdata/lora/ours is what SaveAdapter writes here; PEFT read it to make these logits.
TEST(LoraPeft, AdaptersThatWeSaveGiveTheSameLogitsInPeft) {
  const LoraConfig config{
      .rank = 2, .alpha = 3, .rslora = false, .modules = {"mlp", "q_proj", "!layers.0.mlp.up"}};
  const TensorMap tensors = OurTensors(config);
  const TemporaryFolder folder;
  ASSERT_TRUE(SaveAdapter(folder.path(), tensors, config, "base").ok());
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors"}) {
    const auto written = ReadFile(folder / name), stored = ReadFile(DataFile(std::string("ours/") + name));
    ASSERT_TRUE(stored.ok()) << stored.status();
    EXPECT_TRUE(*written == *stored) << name << " has other bytes";
  }
  ExpectPeftLogits(tensors, config, "ours");
}

}  // namespace
}  // namespace lvrpo
