#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "generation/image_engine.h"
#include "generation/unified_model.h"

namespace lvrpo {

// Flags that `generate` and `edit` share: sampling settings and output folder.
struct ImageFlags {
  std::string model, dtype = "fp32", device = "cpu", out, watermark;
  int64_t count = 1, steps = 50;
  uint64_t seed = 0;
  double shift = 3, text_scale = 4, image_scale = 1.5, interval_low = 0, interval_high = 1, renorm_min = 0;
  std::string renorm = "global";
  int64_t activation_mib = 4096;

  void AddTo(CLI::App& app);
  // For images of height x width pixels. InvalidArgument names the flag.
  absl::StatusOr<ImageEngineOptions> Options(const UnifiedModel& model, int64_t height, int64_t width) const;
};

// Checks what can be checked before a model is loaded, and makes the folder --out.
absl::Status PrepareOutput(const ImageFlags& flags);

// Samples, decodes one image at a time, marks it when a watermark is asked for, and writes
// OUT/0000.png, ... and, for more than one, OUT/grid.png. Each file's text chunk "lvrpo" holds its settings
// as JSON: `about`, and with it slot and seed. Prints the paths. `texts` (may be empty) has one entry an
// image, stored as "text".
absl::Status PaintAndWrite(const UnifiedModel& model, std::span<const ImageRequest> requests,
                           const ImageEngineOptions& options, const ImageFlags& flags,
                           const std::map<std::string, std::string>& about,
                           const std::vector<std::string>& texts);

}  // namespace lvrpo
