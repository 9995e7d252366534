#pragma once

#include <cstddef>
#include <vector>

#include "data/image/image.h"
#include "reward_server/scorers/objects.h"

// From similarity maps of phrases to R_sem. Pure functions.
namespace lvrpo {

// Similarity in [0, 1] of each phrase to each patch of one image.
struct GroundingMaps {
  int rows = 0, columns = 0;
  std::vector<std::vector<float>> values;  // [phrase][rows * columns], row-major

  size_t phrases() const { return values.size(); }
};

// R_sem in the paper's plain form (equation 12): the mean over phrases of the best patch's similarity; with
// `top` above 1, the mean over the `top` best patches. 0 without phrases.
double TopPatches(const GroundingMaps& maps, int top);

// Patches of one region of an image; never empty, in rising order.
using Region = std::vector<int>;

// Patches whose centre is inside an object's circle, the nearest one when there is none; one region per
// object.
std::vector<Region> RegionsOfObjects(const std::vector<SegmentedObject>& objects, const RgbImage& image,
                                     int rows, int columns);

// Separate peaks of the phrases' maps, for images without a plain background. A patch's confidence is that of
// its best phrase. Regions are the patches of at least half the image's highest confidence, split where the
// saddle between two peaks is below .8 of the lower peak. (Relative thresholds, because confidence differs by
// orders of magnitude between checkpoints and prompts.) At most 16, the highest first. Two objects of a kind
// are two peaks; an object that resembles no phrase makes no peak, so it costs nothing here.
std::vector<Region> PeakRegions(const GroundingMaps& maps);

// [phrase][region]: the best patch's similarity.
std::vector<std::vector<double>> RegionSimilarity(const GroundingMaps& maps,
                                                  const std::vector<Region>& regions);

// The value of an assignment of phrases to regions: each region serves at most one phrase.
// `similarity`[phrase][region] in [0, 1]. Sum of the best assignment / max(phrases, regions): a phrase
// without region and a region without phrase cost the same. REQUIRES a dozen phrases at most.
double CountAwareScore(const std::vector<std::vector<double>>& similarity, size_t regions);

}  // namespace lvrpo
