#pragma once

#include "proto/lvrpo/v1/rule.pb.h"
#include "verifiers/verdict.h"

namespace lvrpo {

// Holds when the size is exactly as requested; the grade is the product of the requested sides' ratios,
// smaller by larger.
Verdict VerifyImageSize(const v1::ImageSizeRule& rule, int width, int height);

// The grade falls with the logarithm of how far the ratio is off, and is 0 at a factor of 2.
Verdict VerifyAspectRatio(const v1::AspectRatioRule& rule, int width, int height);

}  // namespace lvrpo
