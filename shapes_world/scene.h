#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/random.h"
#include "data/image/image.h"

namespace lvrpo::shapes {

// The embedded world: 64x64 pixels, four cells of 32x32, at most one coloured shape in each, on grey.

inline constexpr int kImageSize = 64;
inline constexpr int kCellSize = 32;
inline constexpr int kCells = 4;  // row-major: top left, top right, bottom left, bottom right
inline constexpr int kShapeCount = 6;
inline constexpr int kColorCount = 8;

inline constexpr std::array<const char*, kShapeCount> kShapeNames = {"circle", "square", "triangle",
                                                                     "cross",  "ring",   "heart"};
inline constexpr std::array<const char*, kColorCount> kColorNames = {"red",  "orange", "yellow", "green",
                                                                     "cyan", "blue",   "purple", "pink"};
inline constexpr std::array<std::array<uint8_t, 3>, kColorCount> kPalette = {{{220, 40, 40},
                                                                              {245, 140, 20},
                                                                              {240, 220, 40},
                                                                              {40, 160, 60},
                                                                              {40, 200, 215},
                                                                              {40, 70, 215},
                                                                              {130, 45, 180},
                                                                              {250, 120, 190}}};

struct Object {
  int shape = 0;  // index into kShapeNames
  int color = 0;  // index into kColorNames
  int cell = 0;
  double x = 0, y = 0;   // centre, pixels
  double radius = 10.5;  // pixels
};

struct Scene {
  std::vector<Object> objects;  // in cell order
  int background = 180;         // grey level
  int noise = 0;                // amplitude of the background noise, grey levels; 0 = plain
  uint64_t noise_seed = 0;
};

// Anti-aliased by each shape's signed distance. Pure: the same scene gives the same bytes.
RgbImage Render(const Scene& scene);

// An object of this shape and colour in a cell, with the world's jitter and sizes.
Object PlaceObject(int shape, int color, int cell, Random& random);
// An empty scene with a random background.
Scene RandomBackground(Random& random);

}  // namespace lvrpo::shapes
