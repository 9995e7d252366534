#include "coordinator/scaling/pool_size.h"

#include <algorithm>
#include <cmath>

namespace lvrpo {
namespace {

// Between the two shares a pool stays as it is, so that it does not swing.
constexpr double kWaitsTooMuch = .1, kHardlyWaits = .02;

}  // namespace

bool IsTooSmall(const PoolStretch& stretch) {
  return stretch.lacking > kWaitsTooMuch && !stretch.other_pool_lacks && stretch.members < stretch.work;
}

int64_t NextSize(const PoolStretch& stretch, int64_t wanted, int64_t floor) {
  if (IsTooSmall(stretch)) {
    // So many more that they do in the rest of the time what these did in all of it.
    const double times = 1 / std::max(.5, 1 - stretch.lacking);
    const auto more = static_cast<int64_t>(std::ceil(times * static_cast<double>(stretch.members) - 1e-6));
    const int64_t grown = std::min(std::max(stretch.members + 1, more), stretch.work);
    return std::max(wanted, grown);  // members that are wanted already may still load
  }
  if (stretch.waited_for > kHardlyWaits) return wanted;
  const auto enough = static_cast<int64_t>(std::ceil(stretch.busy / stretch.full_load - 1e-6));
  return std::min(wanted, std::max({enough, floor, int64_t{1}}));
}

}  // namespace lvrpo
