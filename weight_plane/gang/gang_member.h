#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "collectives/nccl_communicator.h"
#include "common/telemetry/metrics.h"
#include "weight_plane/gang/gang_end.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {

// A worker's side of the gang: takes versions from the learner's broadcast. What it delivers is as little
// trusted as what comes over gRPC. A stream that fails breaks the communicator; the caller goes on over gRPC,
// and the next version's broadcast makes another. After Options::most_failures streams in a row that began
// and failed it asks no more. One thread.
class GangMember final : public WeightFetcher {
 public:
  // Asks the learner at `address` (GangDesk::Ask).
  using Ask = std::function<absl::StatusOr<v1::AskGangResponse>(const std::string& address,
                                                                const v1::AskGangRequest& request)>;
  struct Options {
    v1::GangMember self;               // host, device and place
    std::function<v1::Fence()> fence;  // of the registration
    std::function<bool()> stop;        // polled: whether it shall not wait any more
    absl::Duration patience;           // with a broadcast that does not begin
    int most_failures = kMostGangFailures;
  };
  // `manifests` gives manifests; all must outlive it.
  GangMember(Options options, const NcclPlace& place, WeightFetcher& manifests, Ask ask, Metrics& metrics);

  absl::string_view name() const override { return "nccl"; }
  // A stream of version `number` from the broadcast of the learner at `holder`, from its first bucket.
  // Manifest() waits until the broadcast begins. Unavailable: there is none for this worker, or a rank is
  // gone; other errors are NcclCommunicator's. Streams must end before it, one before the next is opened.
  std::unique_ptr<WeightStream> Open(const std::string& holder, int64_t number,
                                     const StreamLimits& limits) override;

  // Takes part in the preflight of the learner at `holder`, within `whole`. Unavailable: there is none any
  // more; the worker is counted on in the next broadcast then. DataLoss: other bytes came.
  absl::Status Measure(const std::string& holder, absl::Duration whole);

 private:
  class Stream;

  // A place in the broadcast of `version`, or of the preflight (null), with its communicator made.
  absl::StatusOr<v1::GangPlan> Join(const std::string& holder, const v1::PolicyVersion* version);
  absl::StatusOr<v1::GangPlan> AskForPlan(const std::string& holder, const v1::PolicyVersion* version);
  v1::AskGangRequest RequestFor(const v1::PolicyVersion* version) const;
  absl::Status ReceiveMeasured(int64_t bytes);
  absl::Time Now() { return place_.limits.waiting.clock->Now(); }
  // Notes how a broadcast ended for this rank.
  void Ended(const absl::Status& status);

  const Options options_;
  EndableClock clock_;
  NcclPlace place_;
  WeightFetcher& manifests_;
  const Ask ask_;
  Metrics& metrics_;
  GangEnd end_;
  int failures_ = 0;  // in a row
};

}  // namespace lvrpo
