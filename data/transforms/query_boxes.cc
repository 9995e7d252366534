#include "data/transforms/query_boxes.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

float Sigmoid(float x) { return static_cast<float>(1.0 / (1.0 + std::exp(-static_cast<double>(x)))); }

// Non-maximum suppression per query; sorted by falling score.
std::vector<QueryBox> Thinned(std::vector<QueryBox> boxes, double most_overlap) {
  std::stable_sort(boxes.begin(), boxes.end(),
                   [](const QueryBox& a, const QueryBox& b) { return a.score > b.score; });
  std::vector<QueryBox> kept;
  for (const QueryBox& box : boxes) {
    const bool known = std::any_of(kept.begin(), kept.end(), [&](const QueryBox& other) {
      return other.query == box.query && Overlap(other, box) > most_overlap;
    });
    if (!known) kept.push_back(box);
  }
  return kept;
}

}  // namespace

absl::StatusOr<std::vector<QueryBox>> FindQueryBoxes(std::span<const float> logits,
                                                     std::span<const float> boxes, int queries,
                                                     std::optional<ImageSize> image,
                                                     const QueryBoxOptions& options) {
  const size_t patches = boxes.size() / 4;
  if (queries < 1 || boxes.size() % 4 != 0 || logits.size() != patches * static_cast<size_t>(queries)) {
    return absl::InvalidArgumentError(absl::StrCat(logits.size(), " logits of ", queries, " queries and ",
                                                   boxes.size(), " numbers of boxes do not fit"));
  }
  // The square's side: boxes are relative to it on both axes.
  const float scale = image.has_value() ? static_cast<float>(std::max(image->width, image->height)) : 1.0f;
  std::vector<QueryBox> found;
  for (size_t patch = 0; patch < patches; ++patch) {
    const std::span<const float> row =
        logits.subspan(patch * static_cast<size_t>(queries), static_cast<size_t>(queries));
    size_t best = 0;
    for (size_t q = 1; q < row.size(); ++q) {
      if (row[q] > row[best] || std::isnan(row[q])) best = q;  // NaN is not a score
    }
    const float score = Sigmoid(row[best]);
    if (!(score > static_cast<float>(options.threshold))) continue;
    const std::span<const float> box = boxes.subspan(patch * 4, 4);
    const float half_width = 0.5f * box[2], half_height = 0.5f * box[3];
    found.push_back({.score = score,
                     .query = static_cast<int>(best),
                     .x0 = (box[0] - half_width) * scale,
                     .y0 = (box[1] - half_height) * scale,
                     .x1 = (box[0] + half_width) * scale,
                     .y1 = (box[1] + half_height) * scale});
  }
  if (options.most_overlap.has_value()) return Thinned(std::move(found), *options.most_overlap);
  return found;
}

double Overlap(const QueryBox& a, const QueryBox& b) {
  const auto area = [](double x0, double y0, double x1, double y1) {
    return std::max(0.0, x1 - x0) * std::max(0.0, y1 - y0);
  };
  const double both =
      area(std::max(a.x0, b.x0), std::max(a.y0, b.y0), std::min(a.x1, b.x1), std::min(a.y1, b.y1));
  const double either = area(a.x0, a.y0, a.x1, a.y1) + area(b.x0, b.y0, b.x1, b.y1) - both;
  return either > 0 ? both / either : 0;
}

}  // namespace lvrpo
