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

}  // namespace lvrpo
