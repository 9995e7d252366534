#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/spool.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "tests/testing/cluster_member.h"
#include "tests/testing/cluster_world.h"

namespace lvrpo {

// A learner's process without LibTorch: the real spool and checks of uploads, and the loop of LearnerLoop
// (learner/loop.h) around the fake policy (fake_policy.h). Saves a checkpoint every second step.
class ClusterLearner {
 public:
  // `world` must outlive it.
  ClusterLearner(ClusterWorld& world, const ClusterProcess& process, int64_t steps);
  ~ClusterLearner();

  // Trains to the run's end and leaves, or returns why it cannot: it is to be started again.
  absl::Status Run();

  // Messages to it: a group's upload (as InboxService::Upload), and a version's weights (NotFound: another
  // one's).
  absl::Status Receive(const v1::UploadHeader& header, const std::string& bytes);
  absl::StatusOr<std::string> Weights(const v1::PolicyVersion& version) const;

 private:
  absl::Status Start();
  absl::Status Restore(const v1::CheckpointRecord& record);
  absl::Status StartTraining();
  absl::Status TrainOneStep();
  absl::StatusOr<v1::TrajectoryGroup> Load(const v1::AssignedGroup& assigned) const;
  absl::Status Commit(const v1::AssignStepResponse& assignment);
  absl::Status Save();
  v1::PolicyVersion version() const;

  ClusterWorld& world_;
  const int64_t steps_;
  Spool spool_;
  ClusterMember member_;
  bool joined_ = false, started_ = false;
  std::string weights_;
  int64_t step_ = 0, saved_step_ = -1;
};

}  // namespace lvrpo
