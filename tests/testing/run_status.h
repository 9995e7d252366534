#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// What a coordinator answers of a run of ten steps that waits for a group: `step` steps are done, the last
// progress was `idle` seconds ago, and so many groups were `retired`, by reason.
inline v1::GetStatusResponse Status(int64_t step, double idle,
                                    const std::map<std::string, int64_t>& retired) {
  v1::GetStatusResponse status;
  status.set_step(step);
  status.set_total_steps(10);
  status.set_seconds_since_progress(idle);
  status.set_waiting_for("rollout-0 (ordinal 7)");
  for (const auto& [reason, count] : retired) (*status.mutable_groups_retired_by_reason())[reason] = count;
  return status;
}

}  // namespace lvrpo
