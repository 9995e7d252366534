#include "learner/ranks/rank_device.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lvrpo {

absl::StatusOr<std::optional<int>> ParseLocalRank(const char* words) {
  if (words == nullptr) return std::nullopt;
  int local_rank = 0;
  if (absl::SimpleAtoi(words, &local_rank) && local_rank >= 0) return local_rank;
  return absl::InvalidArgumentError(
      absl::StrCat("LOCAL_RANK is '", words, "', which is no number from 0 on"));
}

std::string DeviceOfRank(absl::string_view setting, int rank, std::optional<int> local_rank, int gpus) {
  if (setting != "cuda") return std::string(setting);
  return absl::StrCat("cuda:", local_rank.value_or(gpus > 0 ? rank % gpus : 0));
}

}  // namespace lvrpo
