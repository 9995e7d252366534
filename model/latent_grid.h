#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "model/bagel_config.h"

namespace lvrpo {

// Latent tokens of an image, row by row.
struct LatentGrid {
  int64_t height = 0, width = 0;
  int64_t tokens() const { return height * width; }
  friend bool operator==(const LatentGrid&, const LatentGrid&) = default;
};

// The grid of an image of width x height pixels. InvalidArgument, in one sentence, when a side is no multiple
// of the model's latent stride or beyond its position table.
absl::StatusOr<LatentGrid> LatentGridOf(int64_t width, int64_t height, const BagelConfig& model);

}  // namespace lvrpo
