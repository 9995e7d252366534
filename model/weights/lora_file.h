#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/weights/lora.h"
#include "model/weights/weights.h"

namespace lvrpo {

// LoRA adapters in files as the PEFT library writes and reads them (huggingface/peft 0.21): a folder with
//   adapter_config.json         kind, rank, alpha, which layers
//   adapter_model.safetensors   base_model.model.<module>.lora_A.weight and .lora_B.weight
struct LoraAdapter {
  LoraConfig config;                     // `modules`: the full names of the adapted layers
  TensorMap tensors;                     // A and B, under this project's names, fp32
  std::map<std::string, double> scales;  // per adapted layer
  TensorMap whole;                       // modules_to_save: tensors that replace the base's, fp32
  std::string base_model;                // the base model's name in the file; may be empty
};

// Writes the adapters among `tensors` as they are stored, and names each adapted layer in full, so that PEFT
// adapts exactly these. Makes the folder. Each file is written atomically, the configuration last.
// DataLoss when an adapter is incomplete or not of config.rank.
absl::Status SaveAdapter(const std::string& folder, const TensorMap& tensors, const LoraConfig& config,
                         const std::string& base_model);

// Reads an adapter for a model whose tensors have the shapes `base`. The tensors alone say which layers are
// adapted; target_modules and exclude_modules (lists of name endings, "all-linear", or a regular expression
// that a whole name must match, read by RE2) with layers_to_transform and layers_pattern are held against
// them. A regular expression with look-around, which RE2 does not support, is not checked. Ranks and scales
// of single layers come from rank_pattern and alpha_pattern, by PEFT's rule: the first expression that the
// end of the layer's name matches. Names may contain the adapter's name (lora_A.default.weight), and one
// common prefix other than PEFT's, or none.
//
// NotFound names the missing file. InvalidArgument names every setting that is missing, wrong or beyond LoRA
// on linear layers (another peft_type, DoRA, biases, an initialization that changed the base model, ...;
// settings that only steer training are allowed, unknown ones as long as they are off). Unimplemented names
// adapters of embeddings. DataLoss names tensors that are missing, unexpected, of the wrong shape or not
// finite, and layers on which the two files disagree.
absl::StatusOr<LoraAdapter> LoadAdapter(const std::string& folder, const ShapeMap& base);

}  // namespace lvrpo
