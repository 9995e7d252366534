#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "proto/lvrpo/v1/common.pb.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// Recorded checkpoints: steps -> mean reward of the steps since the checkpoint before; nullopt: not known.
using CheckpointRewards = std::map<int64_t, std::optional<double>>;
std::optional<double> RewardOf(const v1::CheckpointRecord& record);

// Which of them stay: the newest `last` (at least one), those of every `every`-th step, and the `best` with
// the highest reward; of equal rewards the later one is better. Empty only when there are none. Pure.
std::set<int64_t> KeptCheckpoints(const CheckpointRewards& recorded, const v1::KeepConfig& keep);

}  // namespace lvrpo
