#include "learner/step/training_group.h"

#include "absl/strings/str_cat.h"

namespace lvrpo {

absl::Status CheckSummaries(const std::vector<TrainingGroup>& groups, int group_size) {
  for (const TrainingGroup& group : groups) {
    if (group.samples.size() == static_cast<size_t>(group_size)) continue;
    return absl::InvalidArgumentError(absl::StrCat("ordinal ", group.trajectories.ordinal, " comes with ",
                                                   group.samples.size(), " summaries; groups have ",
                                                   group_size, " samples"));
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
