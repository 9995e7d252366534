#pragma once

#include <vector>

#include "absl/status/status.h"

namespace lvrpo {

// Whose fault it is that a step's gradient could not be had, from what happened when everything was tried
// alone.
enum class Fault {
  kGroups,   // those that failed alone; the others are fine
  kPolicy,   // the weights: no group can help it
  kMachine,  // memory, or something that did not come again
};

// `together`: what evaluating all groups said, OK when only its numbers were not finite. `alone`: of each
// group, InvalidArgument when its numbers were not finite, otherwise what was thrown. `policy`: of samples
// that the policy drew itself, OutOfRange when their numbers were not finite.
Fault Judge(const absl::Status& together, const std::vector<absl::Status>& alone, const absl::Status& policy);

}  // namespace lvrpo
