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

// Settings read by value for which transformers gives null a meaning, the one that absence has here:
// num_key_value_heads of Qwen2 (configuration_qwen2.py: as many as num_attention_heads), hidden_activation
// of Gemma (modeling_gemma.py of 4: gelu_pytorch_tanh) and image_processor_type (image_processing_auto.py:
// another setting names the class). Null for any other fails or computes something else: a slow image
// processor of 4 leaves out a step whose do_* is null, where a fast one does what is its default; classes of
// 5 that are strict dataclasses refuse null unless the type of the field has None.
absl::Span<const absl::string_view> NullIsAbsent();

}  // namespace lvrpo
