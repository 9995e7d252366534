#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "data/image/image.h"

namespace lvrpo {

// A box in which an open-vocabulary detector (OWLv2) found one of its queries.
struct QueryBox {
  float score = 0;       // 0 to 1
  int query = 0;         // which of the queries
  float x0 = 0, y0 = 0;  // upper left corner, in pixels of the image, not clamped to it
  float x1 = 0, y1 = 0;  // lower right corner
};

struct QueryBoxOptions {
  double threshold = 0.1;  // only boxes with a greater score
  // Non-maximum suppression: of two boxes of the same query whose intersection over union exceeds this, only
  // the one with the greater score is kept, and boxes are sorted by score. Empty, as in the published
  // processor: all are kept, in the order of patches.
  std::optional<double> most_overlap = {};
};

// Post-processes one image's patches: logits [N, queries] and boxes [N, 4] (centre x, centre y, width,
// height, in sides of the square that the image was padded to), row-major. Each patch gives at most one box,
// for its likeliest query (the first of equal ones). `image`: the size before padding; nullopt leaves boxes
// in sides of the square. Pure, thread-safe. InvalidArgument when the lengths do not match.
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
