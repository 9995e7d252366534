#include "tests/testing/cluster_learner.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file.h"
#include "common/hash.h"
#include "learner/upload_check.h"
#include "nlohmann/json.hpp"
#include "tests/testing/fake_policy.h"

namespace lvrpo {
namespace {

constexpr int64_t kCheckpointEvery = 2, kMostBytes = 1 << 20;
constexpr char kWeightsFile[] = "policy.safetensors";

}  // namespace

ClusterLearner::ClusterLearner(ClusterWorld& world, const ClusterProcess& process, int64_t steps)
    : world_(world),
      steps_(steps),
      spool_(JoinPath(world.run_dir, "spool"), kMostBytes, world.clock),
      member_(world, {.role = v1::ROLE_LEARNER,
                      .process = process,
                      .report =
                          [this](v1::HeartbeatRequest& beat) {
                            if (started_) *beat.mutable_version() = version();
                          }}),
      weights_(BaseWeights(world.seed)) {
  world_.learner = this;
}

ClusterLearner::~ClusterLearner() { world_.learner = nullptr; }

v1::PolicyVersion ClusterLearner::version() const { return VersionOf(step_, weights_); }

absl::Status ClusterLearner::Receive(const v1::UploadHeader& header, const std::string& bytes) {
  OpenLeases open;
  if (joined_) {
    open = {.run_id = member_.fence().run_id(),
            .run_epoch = member_.fence().run_epoch(),
            .lowest_open_ordinal = member_.view().lowest_open_ordinal(),
            .next_ordinal = member_.view().next_ordinal()};
  }
  if (absl::Status status = CheckUpload(header, open, kMostBytes); !status.ok()) return status;
  const absl::StatusOr<std::unique_ptr<Spool::Writer>> writer =
      spool_.Begin(header.lease().ordinal(), header.lease().attempt(), header.digest(), header.size_bytes());
  if (!writer.ok()) return writer.status();
  if (absl::Status status = (*writer)->Append(bytes); !status.ok()) return status;
  return (*writer)->Commit();
}

absl::StatusOr<std::string> ClusterLearner::Weights(const v1::PolicyVersion& wanted) const {
  if (!started_ || wanted.digest() != version().digest()) return absl::NotFoundError("not that version");
  return weights_;
}

absl::Status ClusterLearner::StartTraining() {
  v1::StartTrainingRequest request;
  *request.mutable_version() = version();
  return member_.Call(&CoordinatorService::StartTraining, request).status();
}

absl::Status ClusterLearner::Restore(const v1::CheckpointRecord& record) {
  const std::string folder = JoinPath(world_.run_dir, record.path());
  const absl::StatusOr<std::string> manifest = ReadFile(JoinPath(folder, "manifest.json"));
  const absl::StatusOr<std::string> weights = ReadFile(JoinPath(folder, kWeightsFile));
  if (!manifest.ok() || !weights.ok() || Sha256Hex(*manifest) != record.digest())
    return absl::DataLossError(absl::StrCat(record.path(), " is damaged"));
  weights_ = *weights;
  step_ = saved_step_ = record.step();
  return absl::OkStatus();
}

absl::Status ClusterLearner::Start() {
  if (!member_.checkpoints().empty()) {
    if (absl::Status status = Restore(member_.checkpoints().front()); !status.ok()) return status;
  }
  started_ = true;
  spool_.RemoveBelow(member_.view().lowest_open_ordinal());
  return StartTraining();
}

absl::StatusOr<v1::TrajectoryGroup> ClusterLearner::Load(const v1::AssignedGroup& assigned) const {
  absl::StatusOr<v1::TrajectoryGroup> group =
      spool_.Get(assigned.ordinal(), assigned.attempt(), assigned.trajectory_digest());
  if (group.ok() && group->version().digest() != assigned.version().digest())
    return absl::InvalidArgumentError("another group's trajectories");
  return group;
}

absl::Status ClusterLearner::Commit(const v1::AssignStepResponse& assignment) {
  v1::CommitStepRequest commit;
  commit.set_step(step_ - 1);
  for (const v1::AssignedGroup& group : assignment.groups()) commit.add_ordinals(group.ordinal());
  *commit.mutable_new_version() = version();
  const absl::StatusOr<v1::CommitStepResponse> committed =
      member_.Call(&CoordinatorService::CommitStep, commit);
  if (!committed.ok()) return committed.status();
  spool_.RemoveBelow(committed->lowest_open_ordinal());
  return absl::OkStatus();
}

absl::Status ClusterLearner::TrainOneStep() {
  v1::AssignStepRequest request;
  request.set_step(step_);
  const absl::StatusOr<v1::AssignStepResponse> assignment =
      member_.Call(&CoordinatorService::AssignStep, request);
  if (ErrorInfoOf(assignment.status()).reason() == v1::REFUSAL_NOT_STARTED) return StartTraining();
  if (!assignment.ok()) return assignment.status();
  if (!assignment->assigned()) {
    world_.turns.Sleep(absl::Seconds(assignment->retry_after_seconds()));
    return absl::OkStatus();
  }
  std::string weights = weights_;
  v1::ReportLostGroupsRequest lost;
  for (const v1::AssignedGroup& assigned : assignment->groups()) {
    const absl::StatusOr<v1::TrajectoryGroup> group = Load(assigned);
    if (group.ok()) {
      weights = TrainOn(weights, *group, assigned);
      continue;
    }
    v1::LostGroup& entry = *lost.add_groups();
    entry.set_ordinal(assigned.ordinal());
    entry.set_reason(absl::IsInvalidArgument(group.status()) ? v1::RETIRE_UNTRAINABLE
                                                             : v1::RETIRE_TRAJECTORY_LOST);
  }
  if (lost.groups_size() > 0) return member_.Call(&CoordinatorService::ReportLostGroups, lost).status();
  weights_ = weights;
  ++step_;
  if (absl::Status status = Commit(*assignment); !status.ok()) return status;
  return step_ % kCheckpointEvery == 0 || step_ == steps_ ? Save() : absl::OkStatus();
}

absl::Status ClusterLearner::Save() {
  if (saved_step_ == step_) return absl::OkStatus();
  const std::string path = absl::StrFormat("checkpoints/step_%06d", step_);
  const std::string folder = JoinPath(world_.run_dir, path);
  const std::string manifest = nlohmann::json{{"step", step_},
                                              {"weights_digest", version().digest()},
                                              {"config_digest", "config"},
                                              {"files", {{kWeightsFile, Sha256Hex(weights_)}}}}
                                   .dump();
  for (const absl::Status& status :
       {MakeFolder(folder), WriteFileAtomic(JoinPath(folder, kWeightsFile), weights_),
        WriteFileAtomic(JoinPath(folder, "manifest.json"), manifest)}) {
    if (!status.ok()) return status;
  }
  v1::RecordCheckpointRequest request;
  request.set_step(step_);
  request.set_path(path);
  request.set_digest(Sha256Hex(manifest));
  const absl::Status status = member_.Call(&CoordinatorService::RecordCheckpoint, request).status();
  if (status.ok()) saved_step_ = step_;
  return status;
}

absl::Status ClusterLearner::Run() {
  if (absl::Status status = spool_.Open(); !status.ok()) return status;
  if (absl::Status status = member_.Join(); !status.ok()) return status;
  joined_ = true;
  if (absl::Status status = Start(); !status.ok()) return status;
  while (step_ < steps_) {
    if (!member_.lost().ok()) return member_.lost();
    if (member_.view().draining()) break;
    if (absl::Status status = TrainOneStep(); !status.ok()) return status;
  }
  if (absl::Status status = Save(); !status.ok()) return status;
  member_.Leave();
  return absl::OkStatus();
}

}  // namespace lvrpo
