#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// A rank's place among those of its machine, in the words of the environment (LOCAL_RANK, which launchers
// set). nullopt: they do not say. InvalidArgument: it is no number from 0 on.
absl::StatusOr<std::optional<int>> ParseLocalRank(const char* words);

// What `setting` (learner.device) means for rank `rank` on a machine with that many GPUs: of "cuda" each of
// the machine's ranks has a dedicated GPU, in the order of their local ranks; where nobody says those, ranks
// fill machines of equal size in their order.
std::string DeviceOfRank(absl::string_view setting, int rank, std::optional<int> local_rank, int gpus);

}  // namespace lvrpo
