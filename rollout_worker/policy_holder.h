#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/metrics.h"
#include "coordinator/client.h"
#include "learner/client.h"
#include "rollout_worker/generator.h"

namespace lvrpo {

// Base weights with `trained` tensors over them. DataLoss when a tensor does not belong there.
absl::StatusOr<std::shared_ptr<const Policy>> MakePolicy(const Bagel& base, const TensorMap& trained,
                                                         const v1::PolicyVersion& version);

// The version that this worker samples with. A thread follows the coordinator's current version: it fetches
// the new weights beside those in use, checks every byte, and swaps them in; whoever holds the old version
// finishes its group with it. Thread-safe.
class PolicyHolder {
 public:
  // Gives the current version's weights: LearnerClient's, or a test's.
  using Fetch = std::function<absl::StatusOr<LearnerClient::Weights>(const v1::PolicyVersion&)>;
  // `acknowledge` is told after each swap. `initial` is version 0 from the model's own folder.
  PolicyHolder(Bagel base, std::shared_ptr<const Policy> initial, Fetch fetch,
               std::function<absl::Status(const v1::PolicyVersion&)> acknowledge, Metrics& metrics);

  std::shared_ptr<const Policy> current() const;

  // Brings `wanted` in unless it is here already. DataLoss for damaged weights: what is in use stays.
  absl::Status Update(const v1::PolicyVersion& wanted);

  // Follows the session's view until `stop` says so.
  void Follow(MemberSession& session, const std::function<bool()>& stop);

 private:
  const Bagel base_;
  const Fetch fetch_;
  const std::function<absl::Status(const v1::PolicyVersion&)> acknowledge_;
  Metrics& metrics_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Policy> current_ ABSL_GUARDED_BY(mutex_);
  std::string acknowledged_ ABSL_GUARDED_BY(mutex_);  // digest
};

}  // namespace lvrpo
