#pragma once

#include <string>
#include <vector>

#include "data/image.h"

namespace lvrpo {

// One coloured blob of an image, as the rule checkers see it.
struct FoundObject {
  std::string color;    // name of the palette colour most of its pixels are nearest to
  std::string shape;    // "unknown" when no shape fits
  double x = 0, y = 0;  // centroid, pixels
  double radius = 0;    // of the smallest centred circle around it, pixels
  int pixels = 0;
};

// Finds coloured objects on a grey background by segmentation, for rewards. It works by saturation and
// by radial outline, and deliberately shares nothing with shapes_world/checker.h, the held-out judge.
// Immutable after construction; thread-safe.
class ObjectFinder {
 public:
  ObjectFinder();

  // Objects with at least 12 pixels, in order of their topmost pixel.
  std::vector<FoundObject> Find(const RgbImage& image) const;

 private:
  // Outline of a shape seen from its centroid: filled share of each ray, and where along it.
  struct Outline {
    std::vector<float> values;
  };
  struct Prototype {
    std::string shape;
    Outline outline;
  };
  static Outline OutlineOf(const std::vector<char>& mask, int width, int height, double x, double y,
                           double radius);

  std::vector<Prototype> prototypes_;
};

}  // namespace lvrpo
