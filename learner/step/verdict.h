#pragma once

#include <vector>

#include "absl/status/status.h"

namespace lvrpo {

// Whose fault it is that a step's gradient could not be computed, from trying its groups one by one.
enum class Fault {
  kGroups,   // those that failed alone; the others are fine
  kPolicy,   // the weights: no group can help it
  kMachine,  // memory, or something that did not happen again
};

// `together`: status of evaluating all groups, OK when only its values were not finite. `alone`: status of
// each group, InvalidArgument when its values were not finite, otherwise what was thrown. `policy`: status of
// samples that the policy drew itself, OutOfRange when their values were not finite.
Fault Judge(const absl::Status& together, const std::vector<absl::Status>& alone, const absl::Status& policy);

}  // namespace lvrpo
