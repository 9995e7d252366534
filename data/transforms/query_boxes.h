#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "data/image/image.h"

namespace lvrpo {

// A place where a detector of named things (OWLv2) found one of its queries.
struct QueryBox {
  float score = 0;       // 0 to 1, how sure it is
  int query = 0;         // which of the queries
  float x0 = 0, y0 = 0;  // upper left corner, in pixels of the image, not clamped to it
  float x1 = 0, y1 = 0;  // lower right corner
};

struct QueryBoxOptions {
  double threshold = 0.1;  // only boxes with a greater score
  // Of two boxes of the same query that overlap by more than this part of their union only the one with the
  // greater score stays, and boxes come in the order of their scores. Empty, the published processor's way:
  // all stay, in the order of patches.
  std::optional<double> most_overlap = {};
};

// Of one image's patches: logits [N, queries] and boxes [N, 4] (centre x, centre y, width, height, in sides
// of the square that the image was padded to), row-major. Each patch gives at most one box, for its likeliest
// query (the first of equal ones). `image`: the size before padding; nullopt leaves boxes in sides of the
// square. Pure, thread-safe. InvalidArgument when the lengths do not fit each other.
//
// The rules are those of transformers:models/owlv2/image_processing_owlv2.py
// (post_process_object_detection).
absl::StatusOr<std::vector<QueryBox>> FindQueryBoxes(std::span<const float> logits,
                                                     std::span<const float> boxes, int queries,
                                                     std::optional<ImageSize> image,
                                                     const QueryBoxOptions& options = {});

// Intersection over union; 0 when neither has an area.
double Overlap(const QueryBox& a, const QueryBox& b);

}  // namespace lvrpo
