#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collectives/collectives.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "tests/testing/cluster_world.h"

namespace lvrpo {

// One rank's communicator in an in-process cluster: ranks send each other messages, which may be lost and
// which kill as all others do, and wait for them by sleeping. What the tests need of Collectives: all
// operations are one exchange of everybody's bytes.
class ClusterRanks final : public Collectives {
 public:
  // `over`: why this rank's epoch has ended; OK while it has not. `world` must outlive it.
  ClusterRanks(ClusterWorld& world, v1::LearnerEpoch epoch, int rank, std::function<absl::Status()> over);
  ~ClusterRanks() override;

  // Everybody's words, in rank order. The first call is over when all ranks are there.
  absl::StatusOr<std::vector<std::string>> Gather(const std::string& words);

  int rank() const override { return rank_; }
  int size() const override { return epoch_.ranks(); }
  absl::string_view name() const override { return "cluster"; }
  std::unique_ptr<Pending> AllGather(ConstSpan in, Span out) override;
  std::unique_ptr<Pending> ReduceScatter(ConstSpan in, Span out) override;
  std::unique_ptr<Pending> AllReduce(Span data, Reduction reduction) override;
  std::unique_ptr<Pending> Broadcast(Span data, int root) override;
  absl::Status Barrier() override { return Gather("").status(); }
  void Abort(const std::string&) override {}

 private:
  // Another rank's message. FailedPrecondition: that is of another epoch.
  absl::Status Hear(const std::string& epoch, int64_t operation, int from, const std::string& words);

  ClusterWorld& world_;
  const v1::LearnerEpoch epoch_;
  const int rank_;
  const std::string address_;
  const std::function<absl::Status()> over_;
  int64_t operations_ = 0;
  absl::Status broken_;
  std::map<int64_t, std::map<int, std::string>> heard_;  // by operation and rank
};

}  // namespace lvrpo
