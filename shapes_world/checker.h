#pragma once

#include <string>
#include <vector>

#include "data/image/image.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo::shapes {

// The held-out judge. It uses pixels only and shares no code with the renderer or any reward: foreground =
// far from the border's grey, blobs = connected components, colour = nearest palette entry, shape = best
// overlap of the blob with an analytic figure stretched to the blob's bounding box.

struct SegmentedShape {
  std::string shape;  // "unknown" when no figure overlaps well
  std::string color;
  double x = 0, y = 0;  // centre of the bounding box, pixels
};

struct CheckResult {
  bool correct = false;        // everything requested is present as requested, and nothing else
  bool presence_only = false;  // everything requested is present; extra objects are ignored (GenEval's rule)
  std::vector<SegmentedShape> objects;
};

std::vector<SegmentedShape> SegmentShapes(const RgbImage& image);

// A relation holds as in GenEval: the direction between the centres, scaled to unit length, has more than
// half its length along the axis.
CheckResult Check(const RgbImage& image, const v1::PromptRecord& prompt);

}  // namespace lvrpo::shapes
