#pragma once

#include <string>
#include <vector>

#include "data/image/image.h"

namespace lvrpo {

// One object that segmentation found in an image.
struct SegmentedObject {
  std::string color;  // name of the palette colour most of its pixels are nearest to; "unknown": it has none
  std::string shape;  // "unknown" when no shape fits
  double x = 0, y = 0;  // centroid, pixels
  double radius = 0;    // of the smallest centred circle around it, pixels
  int pixels = 0;
};

// Finds objects on a grey background by segmentation, for rewards: coloured ones, and colourless ones that
// contrast with the background. It uses saturation and radial outlines, and deliberately shares no code with
// shapes_world/checker.h, the held-out judge. Immutable after construction; thread-safe.
class ObjectFinder {
 public:
  ObjectFinder();

  // Objects with at least 12 pixels, in order of their topmost pixel; at most 64. Smaller specks, if many,
  // are together reported as one more object of unknown colour and shape.
  std::vector<SegmentedObject> Find(const RgbImage& image) const;

 private:
  struct Prototype {
    std::string shape;
    std::vector<float> outline;
  };
  // "unknown" when all prototypes are far.
  std::string NearestShape(const std::vector<float>& outline) const;

  std::vector<Prototype> prototypes_;
};

}  // namespace lvrpo
