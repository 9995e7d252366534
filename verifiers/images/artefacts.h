#pragma once

#include "data/image/image.h"

namespace lvrpo {

// How much of an image's fine detail is a regular grid, 0 to 1: the share of the energy of its differences
// between neighbouring pixels that stands at whole multiples of 1/16 of a pixel (periods of 16, 8, 4 and 2
// pixels: those of decoders' and patches' steps, and the checkerboard) and is more than twice that of the
// frequencies beside them. Rows and columns, of the brightness. Photographs and drawings have next to none,
// wherever their edges lie; a faint checkerboard over one already shows.
// Sides under 6 pixels say nothing: 0. An image of one colour has no detail: 0.
double GridArtefacts(const RgbImage& image);

}  // namespace lvrpo
