#pragma once

#include <string>
#include <vector>

#include "data/image/image.h"

namespace lvrpo {

// One blob of an image, as the rule checkers see it.
struct SegmentedObject {
  std::string color;  // name of the palette colour most of its pixels are nearest to; "unknown": it has none
  std::string shape;  // "unknown" when no shape fits
  double x = 0, y = 0;  // centroid, pixels
  double radius = 0;    // of the smallest centred circle around it, pixels
  int pixels = 0;
};

// Finds objects on a grey background by segmentation, for rewards: what is coloured, and what has no colour
// but stands out from the background all the same. It works by saturation and by radial outline, and
// deliberately shares nothing with shapes_world/checker.h, the held-out judge.
// Immutable after construction; thread-safe.
class ObjectFinder {
 public:
  ObjectFinder();

  // Objects with at least 12 pixels, in order of their topmost pixel; at most 64. Smaller specks, where they
  // are many, are together one more object of unknown colour and shape.
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
