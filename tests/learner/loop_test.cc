// LearnerLoop against a coordinator that plays a script.

#include "learner/loop.h"

#include <deque>

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/checkpoint.h"
#include "nlohmann/json.hpp"
#include "proto/lvrpo/v1/coordinator.grpc.pb.h"
#include "tests/learner/spool_test.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// Assigns the same two groups until they are committed or given up, then what comes next.
class ScriptedCoordinator final : public v1::Coordinator::Service {
 public:
  grpc::Status Register(grpc::ServerContext*, const v1::RegisterRequest*,
                        v1::RegisterResponse* response) override {
    absl::MutexLock lock(&mutex_);
    if (refusals_ > 0) {
      --refusals_;
      v1::ErrorInfo info;
      info.set_reason("CONFIG_MISMATCH");
      return ToGrpcStatus(WithReason(absl::FailedPreconditionError("another configuration"), info));
    }
    response->set_run_id("run");
    response->set_run_epoch(1);
    response->set_incarnation(1);
    response->set_heartbeat_interval_seconds(0.05);
    for (const v1::CheckpointRecord& record : checkpoints_) *response->add_checkpoints() = record;
    return grpc::Status::OK;
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest*, v1::HeartbeatResponse*) override {
    return grpc::Status::OK;
  }
  grpc::Status StartTraining(grpc::ServerContext*, const v1::StartTrainingRequest* request,
                             v1::StartTrainingResponse*) override {
    absl::MutexLock lock(&mutex_);
    started_at_ = request->version().number();
    return grpc::Status::OK;
  }
  grpc::Status AssignStep(grpc::ServerContext*, const v1::AssignStepRequest*,
                          v1::AssignStepResponse* response) override {
    absl::MutexLock lock(&mutex_);
    response->set_assigned(!steps_.empty());
    response->set_waiting_for("more groups");
    response->set_retry_after_seconds(0.01);
    if (!steps_.empty()) *response->mutable_groups() = {steps_.front().begin(), steps_.front().end()};
    return grpc::Status::OK;
  }
  grpc::Status CommitStep(grpc::ServerContext*, const v1::CommitStepRequest* request,
                          v1::CommitStepResponse* response) override {
    absl::MutexLock lock(&mutex_);
    commits_.push_back(*request);
    steps_.pop_front();
    response->set_lowest_open_ordinal(request->ordinals(request->ordinals_size() - 1) + 1);
    return grpc::Status::OK;
  }
  grpc::Status RecordCheckpoint(grpc::ServerContext*, const v1::RecordCheckpointRequest* request,
                                v1::RecordCheckpointResponse*) override {
    absl::MutexLock lock(&mutex_);
    v1::CheckpointRecord record;
    record.set_step(request->step());
    record.set_path(request->path());
    record.set_digest(request->digest());
    checkpoints_.insert(checkpoints_.begin(), record);
    return grpc::Status::OK;
  }
  grpc::Status ReportLostGroups(grpc::ServerContext*, const v1::ReportLostGroupsRequest* request,
                                v1::ReportLostGroupsResponse*) override {
    absl::MutexLock lock(&mutex_);
    lost_.push_back(*request);
    steps_.pop_front();
    return grpc::Status::OK;
  }
  grpc::Status Leave(grpc::ServerContext*, const v1::LeaveRequest*, v1::LeaveResponse*) override {
    return grpc::Status::OK;
  }

  void Refuse(int registrations) {
    absl::MutexLock lock(&mutex_);
    refusals_ = registrations;
  }
  void Assign(std::vector<v1::AssignedGroup> groups) {
    absl::MutexLock lock(&mutex_);
    steps_.push_back(std::move(groups));
  }
  std::vector<v1::CommitStepRequest> commits() const {
    absl::MutexLock lock(&mutex_);
    return commits_;
  }
  std::vector<v1::ReportLostGroupsRequest> lost() const {
    absl::MutexLock lock(&mutex_);
    return lost_;
  }
  std::vector<v1::CheckpointRecord> checkpoints() const {
    absl::MutexLock lock(&mutex_);
    return checkpoints_;
  }
  int64_t started_at() const {
    absl::MutexLock lock(&mutex_);
    return started_at_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::deque<std::vector<v1::AssignedGroup>> steps_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::CommitStepRequest> commits_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::ReportLostGroupsRequest> lost_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::CheckpointRecord> checkpoints_ ABSL_GUARDED_BY(mutex_);  // newest first
  int64_t started_at_ ABSL_GUARDED_BY(mutex_) = -1;
  int refusals_ ABSL_GUARDED_BY(mutex_) = 0;
};

class LoopTest : public SpoolTest {
 protected:
  LoopTest() : server_(*RpcServer::Start({}, {&coordinator_})), spool_(run_ + "/spool") {
    config_ = TinyRun();
    config_.mutable_train()->set_steps(2);
    config_.mutable_train()->set_checkpoint_every(1);
    EXPECT_TRUE(spool_.Open().ok());
    Restart();
  }
  absl::StatusOr<std::unique_ptr<MemberSession>> Join(v1::Role role, const std::string& id) {
    MemberSession::Options options;
    options.coordinator = server_->address();
    options.role = role;
    options.member_id = id;
    return MemberSession::Join(
        options, [] { return MemberSession::Report(); }, nullptr);
  }
  // A learner process of its own.
  void Restart() {
    loop_.reset();
    session_.reset();
    trainer_ = *GrpoTrainer::Create(config_, TinyModel());
    session_ = *Join(v1::ROLE_LEARNER, "learner-0");
    loop_ = std::make_unique<LearnerLoop>(
        LearnerLoop::Options{.config = config_,
                             .run_dir = run_,
                             .storage_patience = absl::Milliseconds(100),
                             .storage_pause = absl::Milliseconds(10)},
        [](const v1::TrajectoryGroup& group) {
          return group.prompt().id() == "another" ? absl::InvalidArgumentError("another prompt")
                                                  : absl::OkStatus();
        },
        *trainer_, spool_, weights_, *session_, metrics_);
  }
  // As a worker delivers it and the coordinator assigns it.
  v1::AssignedGroup Deliver(v1::TrajectoryGroup group) {
    *group.mutable_version() = loop_->version();
    const std::string bytes = group.SerializeAsString();
    EXPECT_TRUE(Put(spool_, group.ordinal(), 0, bytes).ok());
    v1::AssignedGroup assigned;
    assigned.set_ordinal(group.ordinal());
    assigned.set_trajectory_digest(Sha256Hex(bytes));
    *assigned.mutable_version() = group.version();
    assigned.set_member_id("rollout-3");
    for (const v1::Sample& sample : group.samples()) {
      v1::SampleSummary& summary = *assigned.add_samples();
      summary.set_slot(sample.slot());
      summary.set_reward(sample.reward());
      *summary.mutable_scores() = sample.scores();
    }
    return assigned;
  }
  v1::TrajectoryGroup Image(int64_t ordinal) const {
    return ImageGroup(trainer_->policy(), config_, ordinal);
  }
  static bool Never() { return false; }

  v1::RunConfig config_;
  ScriptedCoordinator coordinator_;
  std::unique_ptr<RpcServer> server_;
  Metrics metrics_;
  Spool spool_;
  CallWatch watch_{{.every = {}}};
  WeightService weights_{watch_, metrics_};
  std::unique_ptr<GrpoTrainer> trainer_;
  std::unique_ptr<MemberSession> session_;
  std::unique_ptr<LearnerLoop> loop_;
};

TEST_F(LoopTest, TrainsCommitsAndGoesOnFromItsCheckpoint) {
  ASSERT_TRUE(loop_->Start().ok());
  EXPECT_EQ(coordinator_.started_at(), 0);
  const v1::TrajectoryGroup group = Image(0);
  coordinator_.Assign({Deliver(group), Deliver(Image(1))});
  ASSERT_TRUE(loop_->Run([&] { return coordinator_.commits().size() == 1; }).ok());
  const v1::CommitStepRequest commit = coordinator_.commits()[0];
  EXPECT_THAT(commit.ordinals(), ElementsAre(0, 1));
  EXPECT_EQ(commit.new_version().number(), 1);
  const auto figures = nlohmann::json::parse(commit.metrics_json());
  EXPECT_EQ(figures.value("nonfinite", -1.), 0);
  EXPECT_EQ(figures.value("groups_given_up", -1.), 0);
  EXPECT_EQ(figures.value("sampler_log_prob_difference_same_version", -1.), 0);
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_learner_step_value{name=\"nonfinite\"} 0"));
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_learner_step_value{name=\"seconds_update\"}"));
  EXPECT_TRUE(ListFolder(run_ + "/spool")->empty());  // consumed
  ASSERT_EQ(coordinator_.checkpoints().size(), 1u);

  const std::string digest = loop_->version().digest();
  Restart();
  ASSERT_TRUE(loop_->Start().ok());
  EXPECT_EQ(coordinator_.started_at(), 1);
  EXPECT_EQ(loop_->version().digest(), digest);
  coordinator_.Assign({Deliver(Image(2)), Deliver(Image(3))});
  EXPECT_TRUE(loop_->Run(Never).ok());  // to the end of the run
  EXPECT_EQ(loop_->step(), 2);
  EXPECT_EQ(coordinator_.checkpoints()[0].step(), 2);
}

TEST_F(LoopTest, AGroupThatCannotBeTrainedCostsItself) {
  ASSERT_TRUE(loop_->Start().ok());
  const v1::AssignedGroup good = Deliver(Image(0));
  v1::TrajectoryGroup damaged = Image(1), other = Image(2), long_prompt = Image(3);
  damaged.mutable_samples(2)->set_log_probs(0, NAN);
  other.mutable_prompt()->set_id("another");
  for (int i = 0; i < 40000; ++i) long_prompt.add_prompt_ids(5);
  v1::AssignedGroup missing = Deliver(Image(4)), mixed_up = Deliver(Image(5));
  ASSERT_TRUE(RemoveFile(run_ + "/spool/4-0.group").ok());
  mixed_up.mutable_version()->set_number(7);
  coordinator_.Assign({good, Deliver(damaged)});
  coordinator_.Assign({Deliver(other), good});
  coordinator_.Assign({good, Deliver(long_prompt)});
  coordinator_.Assign({good, missing});
  coordinator_.Assign({good, mixed_up});
  coordinator_.Assign({good, Deliver(Image(6))});
  ASSERT_TRUE(loop_->Run([&] { return coordinator_.commits().size() == 1; }).ok());
  const std::vector<v1::ReportLostGroupsRequest> lost = coordinator_.lost();
  ASSERT_EQ(lost.size(), 5u);
  const std::vector<std::pair<int64_t, std::string>> expected = {{1, "untrainable: "},
                                                                 {2, "untrainable: another prompt"},
                                                                 {3, "untrainable: "},
                                                                 {4, "lost: "},
                                                                 {5, "untrainable: "}};
  for (size_t i = 0; i < lost.size(); ++i) {
    EXPECT_THAT(lost[i].ordinals(), ElementsAre(expected[i].first));
    EXPECT_THAT(lost[i].reason(), StartsWith(expected[i].second));
  }
  EXPECT_EQ(nlohmann::json::parse(coordinator_.commits()[0].metrics_json()).value("groups_given_up", -1.), 5);
  EXPECT_THAT(
      metrics_.Render(),
      HasSubstr("lvrpo_learner_groups_given_up_total{member=\"rollout-3\",reason=\"untrainable\"} 4"));
}

TEST_F(LoopTest, SaysThatItsDiskFailsAndEndsWhenThatLasts) {
  ASSERT_TRUE(loop_->Start().ok());
  ASSERT_TRUE(RemoveTree(run_ + "/spool").ok());
  ASSERT_TRUE(WriteFileAtomic(run_ + "/spool", "a file").ok());  // in the folder's place
  EXPECT_FALSE(Put(spool_, 0, 0, Bytes(0)).ok());
  std::string said;
  const absl::Status status = loop_->Run([&] {
    if (said.empty() || said == "more groups") said = loop_->waiting_for();
    return false;
  });
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(said, StartsWith("its disk: "));
}

TEST_F(LoopTest, GoesOnWhenTheDiskCanBeWrittenAgain) {
  ASSERT_TRUE(loop_->Start().ok());
  coordinator_.Assign({Deliver(Image(0)), Deliver(Image(1))});
  const std::string checkpoints = run_ + "/checkpoints";
  ASSERT_TRUE(WriteFileAtomic(checkpoints, "a file").ok());  // in the folder's place
  bool mended = false;
  const absl::Status status = loop_->Run([&] {
    if (!coordinator_.commits().empty() && !mended) {
      EXPECT_THAT(coordinator_.checkpoints(), IsEmpty());
      mended = RemoveFile(checkpoints).ok();
      coordinator_.Assign({Deliver(Image(2)), Deliver(Image(3))});
    }
    return false;
  });
  EXPECT_TRUE(status.ok()) << status;
  ASSERT_EQ(coordinator_.checkpoints().size(), 1u);
  EXPECT_EQ(coordinator_.checkpoints()[0].step(), 2);
}

TEST_F(LoopTest, ALearnerWaitsForTheCoordinatorOfItsRunAndOthersDoNot) {
  coordinator_.Refuse(2);
  EXPECT_TRUE(Join(v1::ROLE_LEARNER, "learner-1").ok());
  coordinator_.Refuse(1);
  EXPECT_EQ(ErrorInfoOf(Join(v1::ROLE_ROLLOUT_WORKER, "rollout-0").status()).reason(), "CONFIG_MISMATCH");
}

TEST_F(LoopTest, EndsWithItsRunFolder) {
  ASSERT_TRUE(loop_->Start().ok());
  ASSERT_TRUE(RemoveTree(run_).ok());
  const absl::Status status = loop_->Run(Never);
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("is gone"));
}

}  // namespace
}  // namespace lvrpo
