#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "proto/lvrpo/v1/records.pb.h"

namespace lvrpo {

using GroupPointer = std::shared_ptr<const v1::GroupRecord>;

// How far the plan of a run has come.
struct PlanPosition {
  int64_t next_ordinal = 0;
  int32_t generation = 0;  // times that steps were abandoned
  // Of ordinals that are planned for the first time in this generation, and the highest of any group so far.
  // A new generation begins above it: no attempt of an abandoned group comes again.
  int32_t first_attempt = 0, highest_attempt = 0;

  bool operator==(const PlanPosition&) const = default;
};

// What changed in a RunState, to be written in one transaction, in the order of the members.
struct Changes {
  // Steps from `step` on are abandoned, with the checkpoints that hold any of them; ordinals from `ordinal`
  // on are forgotten.
  struct Abandoned {
    int64_t step = 0, ordinal = 0;
  };
  std::optional<Abandoned> abandoned;
  std::map<int64_t, GroupPointer> groups;      // by ordinal, as they are now
  std::shared_ptr<const v1::StepRecord> step;  // committed
  std::optional<v1::CheckpointRecord> checkpoint;
  std::optional<PlanPosition> plan;
  std::optional<std::string> base_digest;  // of version 0

  bool empty() const {
    return !abandoned && groups.empty() && step == nullptr && !checkpoint && !plan && !base_digest;
  }
};

}  // namespace lvrpo
