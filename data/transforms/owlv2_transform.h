#pragma once

#include "absl/status/statusor.h"
#include "data/image/image.h"
#include "data/transforms/siglip_transform.h"

namespace lvrpo {

// Image preprocessing of OWLv2, as in the published processor (transformers:models/owlv2, the one that
// resizes with scipy). Pixels times the double 1/255, as floats; padded on the right and below to a square;
// each axis smoothed when it shrinks and resampled linearly; clamped to the padded image's range of values;
// normalised.
//
// By the factor f = side / new side the axis is smoothed by a Gaussian of sigma max(0, (f - 1) / 2), cut at
// int(4 sigma + 0.5) pixels. Both steps mirror at the edge pixels, which are not repeated: d c b | a b c d.
struct Owlv2Transform {
  ImageSize size = {960, 960};  // the model's image_size
  // The padding value, before normalisation. Grey is what the models were trained with; processors since
  // transformers 5 fill with 0.
  float pad_value = 0.5f;
  PixelNorm norm = {.mean = {0.48145466f, 0.4578275f, 0.40821073f},
                    .stddev = {0.26862954f, 0.26130258f, 0.27577711f}};
};

// Pure, thread-safe, on one thread. InvalidArgument for an image whose pixels do not fit its size or with a
// side outside 1 .. 65535, a size outside 1 .. 8192 a side, a pad_value that is not finite, and a norm that
// divides by 0. Besides the result it takes memory for size.height rows of the image as floats.
absl::StatusOr<PixelPlanes> TransformForOwlv2(const RgbImage& image, const Owlv2Transform& transform);

}  // namespace lvrpo
