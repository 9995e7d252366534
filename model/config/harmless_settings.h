#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// Settings that published files hold and that change nothing of what the models here compute. Whatever is
// neither read nor listed is refused (ConfigReader::RefuseUnknown): it may belong to another model than the
// one that would be computed.
namespace lvrpo {

// Those that transformers writes for any model, whether or not it has a use for them, and its older releases
// into every section: who wrote the file, how weights were stored, training, what a Python call returns, and
// how text is sampled, which this program's own settings say.
absl::Span<const absl::string_view> HarmlessOfAnyModel();

// Those of an image processor, besides the ones that ImageProcessor reads
// (reward_server/scorers/image_processor.h).
absl::Span<const absl::string_view> HarmlessOfProcessors();

}  // namespace lvrpo
