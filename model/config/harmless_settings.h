#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// Settings of published files that do not affect what the models here compute. Settings neither read nor
// listed are refused (ConfigReader::RefuseUnknown): they may ask for a different model.
namespace lvrpo {

// Those that transformers writes for any model, in older releases into every section: who wrote the file, how
// weights were stored, training, what a Python call returns, and text sampling, which has our own settings.
absl::Span<const absl::string_view> HarmlessOfAnyModel();

// Those of an image processor that ImageProcessor does not read
// (reward_server/scorers/image_processor.h).
absl::Span<const absl::string_view> HarmlessOfProcessors();

// Settings read by value whose default in transformers is null: num_key_value_heads (configuration_qwen2.py),
// hidden_activation (modeling_gemma.py of 4.40) and image_processor_type (image_processing_auto.py). Null for
// any other is refused by transformers 5, whose configurations are strict, or changes what 4 computes: it
// leaves out the steps of an image processor that are null.
absl::Span<const absl::string_view> NullIsDefault();

}  // namespace lvrpo
