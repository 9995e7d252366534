#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/image/resize.h"
#include "data/transforms/siglip_transform.h"

namespace lvrpo {

// The settings of a published image processor that may differ between models.
struct ImageProcessor {
  ResizeFilter filter = ResizeFilter::kBilinear;
  PixelNorm norm = {};

  std::string Digest() const;
};

// What a model requires of its processor: other settings are refused. 0: not required.
struct ProcessorWants {
  std::vector<absl::string_view> types;  // names that image_processor_type may have
  int64_t side = 0;                      // size: a square of this many pixels a side
  int64_t patch_size = 0;                // NaFlex: patches of the model's size
  int64_t image_tokens = 0;              // PaliGemma: image_seq_length
  bool pads = false;                     // OWLv2: images are padded to a square first
};

// Reads preprocessor_config.json, or image_processor of processor_config.json, as transformers 5 writes it.
// Without either, `otherwise`. Every setting is used, known to change nothing
// (model/config/harmless_settings.h) or refused: DataLoss names what is of a wrong type, contrary to the
// model's requirements, not supported (an image that is not resized, scaled or normalised, or that is
// cropped) or unknown.
absl::StatusOr<ImageProcessor> ReadImageProcessor(const std::string& folder, const ProcessorWants& wants,
                                                  const ImageProcessor& otherwise);

}  // namespace lvrpo
