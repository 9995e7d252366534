#pragma once

#include "data/image/image.h"

namespace lvrpo {

// How much of an image's fine detail is a regular grid, 0 to 1: the fraction of the energy of the differences
// between neighbouring pixels that is at whole multiples of 1/16 cycles per pixel (periods of 16, 8, 4 and 2
// pixels: strides of decoders and patches, and the checkerboard) and above twice that of the adjacent
// frequencies. Over rows and columns of the brightness. Photographs and drawings have next to none, wherever
// their edges are; even a faint checkerboard overlay is measurable. Sides under 6 pixels say nothing: 0. An
// image of one colour has no detail: 0.
double GridArtefacts(const RgbImage& image);

}  // namespace lvrpo
