#include "learner/step/verdict.h"

#include <algorithm>

namespace lvrpo {

Fault Judge(const absl::Status& together, const std::vector<absl::Status>& alone,
            const absl::Status& policy) {
  if (absl::IsOutOfRange(policy)) return Fault::kPolicy;
  if (!policy.ok()) return Fault::kMachine;
  const auto count = [&](auto&& predicate) { return std::count_if(alone.begin(), alone.end(), predicate); };
  const auto failed = count([](const absl::Status& status) { return !status.ok(); });
  // Groups have the run's own sizes: when none of them fits, the machine has changed, not the groups.
  const bool none_fits = count(absl::IsResourceExhausted) == static_cast<std::ptrdiff_t>(alone.size());
  if (failed > 0) return none_fits ? Fault::kMachine : Fault::kGroups;
  return together.ok() ? Fault::kPolicy : Fault::kMachine;
}

}  // namespace lvrpo
