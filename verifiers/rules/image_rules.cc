#include "verifiers/rules/image_rules.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

constexpr double kAspectTolerance = 0.02;

double Ratio(double a, double b) { return std::min(a, b) / std::max(a, b); }

}  // namespace

Verdict VerifyImageSize(const v1::ImageSizeRule& rule, int width, int height) {
  const int wide = rule.width() > 0 ? rule.width() : width, high = rule.height() > 0 ? rule.height() : height;
  if (wide == width && high == height) return {.holds = true, .grade = 1, .why = ""};
  return {.holds = false,
          .grade = Ratio(wide, width) * Ratio(high, height),
          .why = absl::StrCat("the image has ", width, "x", height, " pixels where ", wide, "x", high,
                              " are asked")};
}

Verdict VerifyAspectRatio(const v1::AspectRatioRule& rule, int width, int height) {
  const double ratio = static_cast<double>(width) / height;
  const double tolerance = rule.tolerance() > 0 ? rule.tolerance() : kAspectTolerance;
  if (std::abs(ratio / rule.ratio() - 1) <= tolerance) return {.holds = true, .grade = 1, .why = ""};
  return {.holds = false,
          .grade = std::max(0.0, 1 - std::abs(std::log2(ratio / rule.ratio()))),
          .why = absl::StrCat("width / height is ", ratio, " where ", rule.ratio(), " is asked")};
}

}  // namespace lvrpo
