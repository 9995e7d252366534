#pragma once

#include <string>
#include <vector>

#include "data/image/image.h"
#include "verifiers/images/detections.h"

namespace lvrpo {

// Name of the colour that most of a detection has: red, orange, yellow, green, blue, purple, pink, brown,
// black or white, GenEval's ten. Empty when less than a quarter of it has any of these (it is grey), or the
// box contains no pixel of the image. Ties go to the first name in the alphabet.
//
// The fallback for detectors that give no colours. GenEval asks CLIP about the masked crop; here each pixel
// of the inner part of the box (the middle 60 % of each side, at most 64 x 64 pixels of it, evenly spread)
// votes for the name of the nearest of some sample colours in CIELAB (D65); grey ones have no vote. It does
// not know what the object is: a box that is mostly background gets the background's colour, and what people
// call a white horse may be grey in the shade, and a brown one orange in the sun.
std::string CropColor(const RgbImage& image, const Detection& detection);

// Gives every detection of this image without a colour its CropColor.
void AddCropColors(const RgbImage& image, std::vector<Detection>* detections);

}  // namespace lvrpo
