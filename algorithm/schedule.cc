#include "algorithm/schedule.h"

#include <algorithm>

#include "algorithm/philox.h"
#include "common/hash.h"

namespace lvrpo {

std::vector<float> Timesteps(int n, double shift) {
  std::vector<float> timesteps(n);
  const float s = static_cast<float>(shift);
  const float spacing = 1.0f / static_cast<float>(std::max(n - 1, 1));
  for (int i = 0; i < n; ++i) {
    // Computed from the nearer end, so that both ends are exact.
    const float u = i == 0 || i < n / 2 ? 1.0f - spacing * static_cast<float>(i)
                                        : spacing * static_cast<float>(n - 1 - i);
    timesteps[i] = s * u / (1.0f + (s - 1.0f) * u);
  }
  return timesteps;
}

Window DrawWindow(uint64_t run_seed, uint32_t group, int size, int lo, int hi) {
  const uint64_t choices = static_cast<uint64_t>(hi - size - lo + 1);
  const uint64_t word =
      PhiloxWord({.seed = MixSeed(run_seed, Purpose::kWindow), .group = group, .slot = 0, .step = 0}, 0);
  return {.begin = lo + static_cast<int>((word * choices) >> 32), .size = size};
}

Window SlidingWindow(int64_t steps, int every, int size, int lo, int hi) {
  const int64_t moves = std::max<int64_t>(steps, 0) / every, places = hi - size - lo + 1;
  return {.begin = lo + static_cast<int>(moves % places), .size = size};
}

std::string ScheduleDigest(const std::vector<float>& timesteps) {
  return Sha256Hex(
      absl::string_view(reinterpret_cast<const char*>(timesteps.data()), timesteps.size() * sizeof(float)));
}

}  // namespace lvrpo
