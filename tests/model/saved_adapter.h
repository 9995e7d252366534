#pragma once

#include <functional>
#include <string>

#include "common/files/file.h"
#include "gtest/gtest.h"
#include "model/weights/lora_file.h"
#include "nlohmann/json.hpp"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

// A small base and adapters for it, in files that a test can change.
namespace lvrpo {

inline const ShapeMap kBase = {{"model.layers.0.up.weight", {6, 5}},     {"model.layers.0.up.bias", {6}},
                               {"model.layers.0.down.weight", {5, 6}},   {"model.layers.1.up.weight", {6, 5}},
                               {"model.layers.1.up_moe.weight", {6, 5}}, {"model.layers.1.norm.weight", {5}},
                               {"model.embed_tokens.weight", {9, 5}}};

inline LoraConfig SomeConfig() {
  return {.rank = 2, .alpha = 5, .rslora = true, .modules = {".up", "!_moe"}};
}

// Adapters of rank 2 on both layers "up".
inline TensorMap SomeAdapters() {
  torch::manual_seed(3);
  return {{"model.layers.0.up.lora_A.weight", torch::randn({2, 5})},
          {"model.layers.0.up.lora_B.weight", torch::randn({6, 2})},
          {"model.layers.1.up.lora_A.weight", torch::randn({2, 5})},
          {"model.layers.1.up.lora_B.weight", torch::randn({6, 2})}};
}

// A saved adapter whose files can be changed.
class SavedAdapter {
 public:
  SavedAdapter() { EXPECT_TRUE(SaveAdapter(folder_.path(), SomeAdapters(), SomeConfig(), "some/base").ok()); }
  std::string file(const std::string& name) const { return folder_ / name; }
  std::string path() const { return folder_.path(); }
  absl::StatusOr<LoraAdapter> Load() const { return LoadAdapter(folder_.path(), kBase); }

  void EditConfig(const std::function<void(nlohmann::json&)>& edit) const {
    nlohmann::json json = nlohmann::json::parse(*ReadFile(file("adapter_config.json")));
    edit(json);
    EXPECT_TRUE(WriteFileAtomic(file("adapter_config.json"), json.dump()).ok());
  }
  // Names with PEFT's prefix.
  void EditTensors(const std::function<void(TensorMap&)>& edit) const {
    TensorMap tensors = *LoadTensors(file("adapter_model.safetensors"));
    edit(tensors);
    EXPECT_TRUE(SaveTensors(file("adapter_model.safetensors"), tensors).ok());
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace lvrpo
