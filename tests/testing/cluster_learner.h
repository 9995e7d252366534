#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/ranks/rank_meeting.h"
#include "learner/ranks/step_agreement.h"
#include "learner/spool.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "tests/testing/cluster_member.h"
#include "tests/testing/cluster_ranks.h"
#include "tests/testing/cluster_world.h"

namespace lvrpo {

// A process of a learner, one of its ranks, without LibTorch: the real spool, checks of uploads and agreement
// of ranks, and the loop of LearnerLoop (learner/loop.h) around the fake policy (fake_policy.h). Saves a
// checkpoint every second step.
class ClusterLearner {
 public:
  // `world` must outlive it.
  ClusterLearner(ClusterWorld& world, const ClusterProcess& process, int64_t steps, int rank, int ranks);
  ~ClusterLearner();

  // Trains to the run's end and leaves, or returns why it cannot: it is to be started again.
  absl::Status Run();

  // A message to it: a group's upload (as InboxService::Upload).
  absl::Status Receive(const v1::UploadHeader& header, const std::string& bytes);

 private:
  absl::Status Meet();
  // Rank 0 restores the newest checkpoint, the others the same.
  absl::Status Start();
  absl::Status Restore(const v1::CheckpointRecord& record);
  absl::Status StartTraining();
  absl::Status TrainOneStep();
  // Gets the step's groups, this rank's loaded, as far as they are there.
  absl::StatusOr<StepAgreement::Word> Prepare(v1::AssignStepResponse& assignment,
                                              std::map<int64_t, v1::TrajectoryGroup>& own);
  absl::StatusOr<v1::TrajectoryGroup> Load(const v1::AssignedGroup& assigned) const;
  // The step's groups, of all ranks.
  absl::StatusOr<std::map<int64_t, v1::TrajectoryGroup>> Exchange(std::map<int64_t, v1::TrajectoryGroup> own);
  absl::Status Commit(const v1::AssignStepResponse& assignment);
  absl::Status Save();
  void Publish();

  ClusterWorld& world_;
  const std::string address_;
  const int64_t steps_;
  const int rank_, ranks_;
  Spool spool_;
  ClusterMember member_;
  bool joined_ = false, started_ = false;
  JoinedEpoch team_;
  StepAgreement agreement_{nullptr};
  std::string weights_;
  v1::PolicyVersion version_;  // of weights_, as published
  KeptVersions published_{2};
  int64_t step_ = 0, saved_step_ = -1;
};

}  // namespace lvrpo
