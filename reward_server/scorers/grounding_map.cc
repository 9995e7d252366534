#include "reward_server/scorers/grounding_map.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace lvrpo {
namespace {

constexpr float kLeastConfidence = 0.5f;  // of a region's patches, as a share of the image's highest
constexpr float kSaddle = 0.8f;           // merge peaks whose saddle is this high, relative to the lower peak
constexpr size_t kMostRegions = 16;

std::vector<float> Confidence(const GroundingMaps& maps) {
  std::vector<float> confidence(static_cast<size_t>(maps.rows) * static_cast<size_t>(maps.columns), 0);
  for (const std::vector<float>& map : maps.values) {
    for (size_t i = 0; i < confidence.size(); ++i) confidence[i] = std::max(confidence[i], map[i]);
  }
  return confidence;
}

// Labels of the patches that share an edge with this one, without repetition.
std::vector<int> LabelsAround(size_t patch, const std::vector<int>& labels, int rows, int columns) {
  const int row = static_cast<int>(patch) / columns, column = static_cast<int>(patch) % columns;
  std::vector<int> around;
  for (const auto& [y, x] :
       {std::pair{row - 1, column}, {row + 1, column}, {row, column - 1}, {row, column + 1}}) {
    if (y < 0 || y >= rows || x < 0 || x >= columns) continue;
    const int label = labels[static_cast<size_t>(y * columns + x)];
    if (label >= 0 && std::find(around.begin(), around.end(), label) == around.end()) around.push_back(label);
  }
  return around;
}

}  // namespace

double TopPatches(const GroundingMaps& maps, int top) {
  if (maps.values.empty()) return 0;
  double sum = 0;
  for (std::vector<float> map : maps.values) {
    const auto count = std::min(static_cast<size_t>(top), map.size());
    if (count == 0) continue;
    std::partial_sort(map.begin(), map.begin() + static_cast<ptrdiff_t>(count), map.end(), std::greater<>());
    sum += std::accumulate(map.begin(), map.begin() + static_cast<ptrdiff_t>(count), 0.0) /
           static_cast<double>(count);
  }
  return sum / static_cast<double>(maps.phrases());
}

std::vector<Region> RegionsOfObjects(const std::vector<SegmentedObject>& objects, const RgbImage& image,
                                     int rows, int columns) {
  const double wide = static_cast<double>(image.width) / columns,
               high = static_cast<double>(image.height) / rows;
  std::vector<Region> regions;
  for (const SegmentedObject& object : objects) {
    Region region;
    int nearest = 0;
    double nearest_distance = INFINITY;
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < columns; ++column) {
        const double distance = std::hypot((column + 0.5) * wide - object.x, (row + 0.5) * high - object.y);
        if (distance <= object.radius) region.push_back(row * columns + column);
        if (distance < nearest_distance) {
          nearest_distance = distance;
          nearest = row * columns + column;
        }
      }
    }
    if (region.empty()) region.push_back(nearest);
    regions.push_back(std::move(region));
  }
  return regions;
}

std::vector<Region> PeakRegions(const GroundingMaps& maps) {
  const std::vector<float> confidence = Confidence(maps);
  std::vector<size_t> order(confidence.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return confidence[a] > confidence[b]; });
  // Watershed from the highest patch downwards: a patch next to no region starts one, a patch next to several
  // joins the highest, and the others merge into it if their peaks hardly rise above this saddle.
  std::vector<int> labels(confidence.size(), -1);
  std::vector<float> peaks;  // of each label, in falling order
  for (const size_t patch : order) {
    const float value = confidence[patch];
    if (value <= 0 || value < confidence[order[0]] * kLeastConfidence) break;
    const std::vector<int> around = LabelsAround(patch, labels, maps.rows, maps.columns);
    if (around.empty()) {
      labels[patch] = static_cast<int>(peaks.size());
      peaks.push_back(value);
      continue;
    }
    labels[patch] = *std::min_element(around.begin(), around.end());
    for (const int other : around) {
      if (other == labels[patch] || value < peaks[static_cast<size_t>(other)] * kSaddle) continue;
      std::replace(labels.begin(), labels.end(), other, labels[patch]);
    }
  }
  std::vector<Region> regions(peaks.size());
  for (size_t patch = 0; patch < labels.size(); ++patch) {
    if (labels[patch] >= 0) regions[static_cast<size_t>(labels[patch])].push_back(static_cast<int>(patch));
  }
  std::erase_if(regions, [](const Region& region) { return region.empty(); });
  if (regions.size() > kMostRegions) regions.resize(kMostRegions);
  return regions;
}

std::vector<std::vector<double>> RegionSimilarity(const GroundingMaps& maps,
                                                  const std::vector<Region>& regions) {
  std::vector<std::vector<double>> similarity(maps.phrases(), std::vector<double>(regions.size(), 0));
  for (size_t k = 0; k < maps.phrases(); ++k) {
    for (size_t r = 0; r < regions.size(); ++r) {
      for (const int patch : regions[r]) {
        similarity[k][r] =
            std::max(similarity[k][r], static_cast<double>(maps.values[k][static_cast<size_t>(patch)]));
      }
    }
  }
  return similarity;
}

double CountAwareScore(const std::vector<std::vector<double>>& similarity, size_t regions) {
  const size_t phrases = similarity.size();
  if (phrases == 0 || regions == 0) return 0;
  // best[s] = largest sum for the phrases of set s over the regions so far.
  std::vector<double> best(size_t{1} << phrases, -1);
  best[0] = 0;
  for (size_t region = 0; region < regions; ++region) {
    for (size_t set = best.size(); set-- > 0;) {
      if (best[set] < 0) continue;
      for (size_t phrase = 0; phrase < phrases; ++phrase) {
        const size_t bit = size_t{1} << phrase;
        if ((set & bit) == 0)
          best[set | bit] = std::max(best[set | bit], best[set] + similarity[phrase][region]);
      }
    }
  }
  return *std::max_element(best.begin(), best.end()) / static_cast<double>(std::max(phrases, regions));
}

}  // namespace lvrpo
