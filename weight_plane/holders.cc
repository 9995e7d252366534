#include "weight_plane/holders.h"

#include <algorithm>

namespace lvrpo {

absl::StatusOr<std::string> PickHolder(const v1::PoolView& view) {
  const auto& holders = view.weight_holders();
  const auto holder =
      std::min_element(holders.begin(), holders.end(),
                       [](const v1::Member& a, const v1::Member& b) { return a.load() < b.load(); });
  if (holder == holders.end()) return absl::UnavailableError("nobody offers these weights yet");
  return holder->address();
}

}  // namespace lvrpo
