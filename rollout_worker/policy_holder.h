#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/telemetry/metrics.h"
#include "coordinator/client.h"
#include "rollout_worker/generator.h"
#include "weight_plane/verified_weights.h"

namespace lvrpo {

// Base weights with `trained` tensors over them. DataLoss when a tensor does not belong there.
absl::StatusOr<std::shared_ptr<const Policy>> MakePolicy(const Bagel& base, const TensorMap& trained,
                                                         const v1::PolicyVersion& version);

// The version that this worker samples with. A thread follows the coordinator's current version: it fetches
// the new weights while the old ones stay in use, checks every byte, and swaps them in; a group that is being
// sampled finishes with the old version. Thread-safe.
class PolicyHolder {
 public:
  struct Calls {
    // Fetches what is wanted from a holder: ResumingFetch's, or a test's.
    std::function<absl::StatusOr<VerifiedWeights>(const WantedWeights&)> fetch;
    // Called after each swap, in this order: the weights in use may be served to others, and the coordinator
    // is told that they are in use.
    std::function<void(std::shared_ptr<const PackedWeights>)> offer;
    std::function<absl::Status(const v1::PolicyVersion&)> acknowledge;
  };
  // `initial` is version 0 from the model folder; `trained`: the tensors that are transferred.
  PolicyHolder(Bagel base, ShapeMap trained, std::shared_ptr<const Policy> initial, Calls calls,
               Metrics& metrics);

  std::shared_ptr<const Policy> current() const;
  // The same once it is acknowledged to the coordinator (`incarnation`: of the registration): groups are
  // leased only for it. Null until then.
  std::shared_ptr<const Policy> acknowledged(int64_t incarnation) const;

  // Fetches and installs `wanted` if it is not current, and acknowledges it if that was not done. DataLoss
  // for damaged weights, other tensors than the run trains and non-finite values: the current version stays.
  // Verified weights that cannot be used are not fetched again.
  absl::Status Update(const v1::PolicyVersion& wanted, int64_t incarnation);
  // Why the last Update() failed; empty when it did not.
  std::string trouble() const;

  // Follows the session's view until `stop` says so.
  void Follow(MemberSession& session, const std::function<bool()>& stop);

 private:
  absl::StatusOr<std::shared_ptr<const Policy>> Build(const VerifiedWeights& weights,
                                                      const v1::PolicyVersion& version) const;
  absl::Status Bring(const v1::PolicyVersion& wanted);
  void Swap(std::shared_ptr<const Policy> policy);

  const Bagel base_;
  const ShapeMap trained_;
  const Calls calls_;
  Metrics& metrics_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Policy> current_ ABSL_GUARDED_BY(mutex_);
  v1::PolicyVersion acknowledged_ ABSL_GUARDED_BY(mutex_);
  int64_t acknowledged_as_ ABSL_GUARDED_BY(mutex_) = -1;  // incarnation
  std::string trouble_ ABSL_GUARDED_BY(mutex_);
  v1::PolicyVersion refused_ ABSL_GUARDED_BY(mutex_);  // the newest one that cannot be used
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);       // why; OK: there was none
};

}  // namespace lvrpo
