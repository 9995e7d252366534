#include "weight_plane/holders.h"

#include <vector>

namespace lvrpo {

absl::StatusOr<v1::Member> PickHolder(const v1::PoolView& view, const std::set<std::string>& avoided,
                                      uint64_t draw) {
  std::vector<const v1::Member*> holders;
  for (const v1::Member& holder : view.weight_holders()) {
    if (!avoided.contains(holder.address())) holders.push_back(&holder);
  }
  if (holders.empty()) return absl::UnavailableError("nobody offers these weights yet");
  const size_t first = draw % holders.size();
  if (holders.size() == 1) return *holders[first];
  const size_t second = (first + 1 + draw / holders.size() % (holders.size() - 1)) % holders.size();
  return *holders[holders[second]->weight_streams() < holders[first]->weight_streams() ? second : first];
}

}  // namespace lvrpo
