#include <algorithm>
#include <set>

#include "common/files/file.h"
#include "common/net/rpc.h"
#include "coordinator/records/audit.h"
#include "tests/coordinator/service_fixture.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST_F(ServiceTest, AWholeStep) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  const v1::LeaseGroupResponse lease = Lease(worker, 0);
  ASSERT_TRUE(lease.granted());
  EXPECT_EQ(lease.lease().learner_address(), "l:1");
  v1::SubmitGroupResponse submitted;
  ASSERT_TRUE(Submit(worker, lease.lease(), &submitted).ok());
  EXPECT_TRUE(submitted.accepted());
  ASSERT_TRUE(Commit(learner, 0, 0).ok());
  const std::string metrics = *ReadFile((dir_ / "metrics.jsonl").string());
  EXPECT_THAT(metrics, HasSubstr("\"reward\":0.5"));
  EXPECT_FALSE(std::filesystem::is_empty(dir_ / "tensorboard"));
  const auto proofs = AuditRun(dir_.string());
  ASSERT_TRUE(proofs.ok());
  for (const Proof& proof : *proofs) EXPECT_TRUE(proof.holds) << proof.sentence;
}

// Scores, rewards and what is logged reach the learner with the assignment, also after a restart.
TEST_F(ServiceTest, AnAssignmentBringsTheScoresThatWereSubmitted) {
  v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  v1::SubmitGroupRequest submit = SubmitOf(worker, Lease(worker, 0).lease());
  v1::ComponentScore& logged = *submit.mutable_samples(1)->add_logged();
  logged.set_name("artefacts");
  logged.set_outcome(v1::ComponentScore::OK);
  logged.set_score(0.25);
  v1::SubmitGroupResponse submitted;
  ASSERT_TRUE(service_->SubmitGroup(nullptr, &submit, &submitted).ok());
  ASSERT_TRUE(submitted.accepted());
  for (const bool restarted : {false, true}) {
    if (restarted) {
      Open();
      learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
      ASSERT_TRUE(Start(learner, 0).ok());
    }
    const v1::AssignStepResponse assigned = Assign(learner);
    ASSERT_EQ(assigned.groups_size(), 1);
    ASSERT_EQ(assigned.groups(0).samples_size(), submit.samples_size());
    for (int slot = 0; slot < submit.samples_size(); ++slot) {
      EXPECT_EQ(assigned.groups(0).samples(slot).SerializeAsString(),
                submit.samples(slot).SerializeAsString());
    }
  }
}

// The spool keeps a group by its attempt.
TEST_F(ServiceTest, AnAssignmentNamesTheAttemptThatWasSubmitted) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  ASSERT_TRUE(Return(worker, Lease(worker, 0).lease(), v1::RETURN_LEARNER_UNREACHABLE).ok());
  v1::SubmitGroupResponse submitted;
  ASSERT_TRUE(Submit(worker, Lease(worker, 0).lease(), &submitted).ok());
  const v1::AssignStepResponse assigned = Assign(learner);
  ASSERT_EQ(assigned.groups_size(), 1);
  EXPECT_EQ(assigned.groups(0).ordinal(), 0);
  EXPECT_EQ(assigned.groups(0).attempt(), 1);
}

// A commit is answered as before when its answer was lost, and is one line of the log.
TEST_F(ServiceTest, ACommitIsLoggedOnceAndSaysWhatIsStillOpen) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  v1::SubmitGroupResponse submitted;
  ASSERT_TRUE(Submit(worker, Lease(worker, 0).lease(), &submitted).ok());
  const v1::AssignStepResponse assigned = Assign(learner);
  v1::CommitStepRequest commit;
  *commit.mutable_fence() = learner;
  commit.set_learner_epoch(Epoch());
  commit.add_ordinals(0);
  *commit.mutable_new_version() = Version(1);
  for (int time = 0; time < 2; ++time) {
    v1::CommitStepResponse committed;
    ASSERT_TRUE(service_->CommitStep(nullptr, &commit, &committed).ok());
    EXPECT_EQ(committed.lowest_open_ordinal(), 1);
  }
  const std::string log = *ReadFile((dir_ / "metrics.jsonl").string());
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1);
}

// The answer to a submit may be lost together with the coordinator.
TEST_F(ServiceTest, ASubmitIsAnsweredAgainAfterARestartAlsoOfAConsumedGroup) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  const v1::Lease lease = Lease(worker, 0).lease();
  v1::SubmitGroupResponse submitted;
  ASSERT_TRUE(Submit(worker, lease, &submitted).ok());
  ASSERT_TRUE(Commit(learner, 0, 0).ok());
  Open();
  ASSERT_TRUE(Submit(Join("rollout-0", v1::ROLE_ROLLOUT_WORKER), lease, &submitted).ok());
  EXPECT_TRUE(submitted.repeated_submit());
  EXPECT_TRUE(submitted.accepted());
}

TEST_F(ServiceTest, ARestartKeepsWhatWasAcknowledged) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  const v1::LeaseGroupResponse lease = Lease(worker, 0);
  Open();
  v1::SubmitGroupResponse submitted;
  EXPECT_EQ(Reason(Submit(worker, lease.lease(), &submitted)), v1::REFUSAL_STALE_EPOCH);
  // The worker registers again, still holding the lease, and the same submit is welcome.
  v1::RegisterRequest request = Registration("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  request.add_held()->set_ordinal(0);
  request.add_held()->set_ordinal(7);
  v1::Fence fence;
  v1::RegisterResponse response;
  ASSERT_TRUE(Register(request, &fence, &response).ok());
  ASSERT_EQ(response.revoked_size(), 1);
  EXPECT_EQ(response.revoked(0).ordinal(), 7);
  ASSERT_TRUE(Submit(fence, lease.lease(), &submitted).ok());
  EXPECT_TRUE(submitted.accepted());
  Open();
  const v1::Fence learner_again = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  EXPECT_EQ(Reason(Commit(learner_again, 0, 0)), v1::REFUSAL_NOT_STARTED);
  ASSERT_TRUE(Start(learner_again, 0).ok());
  EXPECT_TRUE(Commit(learner_again, 0, 0).ok());
  EXPECT_EQ(service_->starts(), 3);
  EXPECT_EQ(Status().run_epoch(), 3);
}

TEST_F(ServiceTest, LeasesThatARestartFoundExpireToo) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence gone = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  ASSERT_EQ(Lease(gone, 0).lease().id().attempt(), 0);
  Open();  // the worker died meanwhile: nobody says that it holds anything
  clock_.Advance(absl::Seconds(9));
  service_->Tick();
  EXPECT_EQ(Status().groups_by_state().at("leased"), 1);
  clock_.Advance(absl::Seconds(1));
  service_->Tick();
  EXPECT_EQ(Status().groups_by_state().at("planned"), 1);
  ASSERT_TRUE(Start(Join("learner-0", v1::ROLE_LEARNER, "l:1"), 0).ok());
  const v1::Lease lease = Lease(Join("rollout-1", v1::ROLE_ROLLOUT_WORKER), 0).lease();
  EXPECT_EQ(lease.id().ordinal(), 0);
  EXPECT_EQ(lease.id().attempt(), 1);
}

TEST_F(ServiceTest, NothingIsLeasedThatNobodyCouldScore) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  v1::LeaseGroupRequest request;
  *request.mutable_fence() = worker;
  *request.mutable_version() = Version(0);
  v1::LeaseGroupResponse response;
  ASSERT_TRUE(service_->LeaseGroup(nullptr, &request, &response).ok());
  EXPECT_FALSE(response.granted());
  EXPECT_EQ(response.waiting_for(), "a reward server to join");
}

TEST_F(ServiceTest, ARunHasFinishedWhenItsLastCheckpointIsRecorded) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  for (int64_t step = 0; step < 3; ++step) TakeStep(learner, worker, step);
  EXPECT_FALSE(Status().finished());
  Open();  // killed before the checkpoint: the learner is waited for
  EXPECT_FALSE(Status().finished());
  EXPECT_FALSE(service_->Done());
  ASSERT_TRUE(Checkpoint(Join("learner-0", v1::ROLE_LEARNER, "l:1"), 3).ok());
  EXPECT_TRUE(Status().finished());
  Open();
  EXPECT_TRUE(Status().finished());
  EXPECT_TRUE(service_->Done());
}

TEST_F(ServiceTest, NumbersThatCannotBeAreRefused) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  EXPECT_EQ(Start(learner, -1).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::RecordCheckpointRequest request;
  *request.mutable_fence() = learner;
  request.set_path("checkpoints/step_000001");
  request.set_step(-1);
  request.set_learner_epoch(Epoch());
  v1::RecordCheckpointResponse response;
  EXPECT_EQ(service_->RecordCheckpoint(nullptr, &request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

// It is written while training goes on, and sent to an object store later still.
TEST_F(ServiceTest, ACheckpointIsRecordedAfterLaterStepsAndAgainWithItsPlace) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  TakeStep(learner, worker, 0);
  TakeStep(learner, worker, 1);
  ASSERT_TRUE(Checkpoint(learner, 1).ok());
  ASSERT_TRUE(Checkpoint(learner, 0).ok());
  std::vector<v1::CheckpointRecord> records = *store_->Checkpoints();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].version().digest(), Version(1).digest());
  v1::RecordCheckpointRequest again;
  *again.mutable_fence() = learner;
  again.set_learner_epoch(Epoch());
  again.set_step(1);
  again.set_path(records[1].path());
  again.set_digest(records[1].digest());
  again.set_store("s3://bucket/runs/run/step_000001");
  again.set_reward(0.5);
  v1::RecordCheckpointResponse response;
  ASSERT_TRUE(service_->RecordCheckpoint(nullptr, &again, &response).ok());
  records = *store_->Checkpoints();
  EXPECT_EQ(records[1].store(), again.store());
  EXPECT_EQ(records[1].reward(), 0.5);
  EXPECT_TRUE(store_->AbandonedCheckpoints()->empty());
  again.set_weights_digest(Version(2).digest());
  const grpc::Status refused = service_->RecordCheckpoint(nullptr, &again, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(Reason(refused), v1::REFUSAL_AHEAD_OF_RECORDS);
}

// A coordinator on an older copy of the records: the learner must not continue from its own, newer history.
TEST_F(ServiceTest, ALearnerThatIsAheadOfTheRecordsStartsAgainFromThem) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  for (const grpc::Status& status : {Start(learner, 1), Checkpoint(learner, 1)}) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
    EXPECT_EQ(Reason(status), v1::REFUSAL_AHEAD_OF_RECORDS);
  }
  ASSERT_TRUE(Start(learner, 0).ok());
  const v1::AssignStepRequest assign = AssignmentOf(learner, 4);
  v1::AssignStepResponse assigned;
  EXPECT_EQ(service_->AssignStep(nullptr, &assign, &assigned).error_code(), grpc::StatusCode::ABORTED);
}

TEST_F(ServiceTest, NothingThatFencesCanBeGuessedOrComesAgain) {
  std::set<int64_t> incarnations, epochs;
  const std::string copy = ReadFile(DatabasePath()).value_or("");
  for (int history = 0; history < 3; ++history) {
    const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
    const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
    ASSERT_TRUE(Start(learner, 0).ok());
    for (const v1::Fence& fence : {learner, worker}) {
      EXPECT_GT(fence.incarnation(), int64_t{1} << 32);
      EXPECT_TRUE(incarnations.insert(fence.incarnation()).second);
    }
    EXPECT_TRUE(epochs.insert(worker.run_epoch()).second);
    // Back to the records as they were: the same number of starts, another epoch.
    service_.reset();
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(DatabasePath() + suffix);
    ASSERT_TRUE(WriteFileAtomic(DatabasePath(), copy).ok());
    Open();
  }
}

TEST_F(ServiceTest, CheckpointsOfAbandonedStepsStayOnRecord) {
  v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  for (int64_t step = 0; step < 2; ++step) {
    TakeStep(learner, worker, step);
    ASSERT_TRUE(Checkpoint(learner, step + 1).ok());
  }
  EXPECT_EQ(Reason(Start(learner, 0)), v1::REFUSAL_NO_SUCH_CHECKPOINT);
  EXPECT_EQ(Status().step(), 2);
  ASSERT_TRUE(Return(worker, Lease(worker, 2).lease(), v1::RETURN_BAD_PROMPT).ok());
  EXPECT_EQ(Status().groups_retired_by_reason().at("bad_prompt"), 1);
  v1::RegisterResponse before;
  ASSERT_TRUE(Register(Registration("learner-0", v1::ROLE_LEARNER, "l:1"), &learner, &before).ok());
  ASSERT_EQ(before.checkpoints_size(), 2);
  EXPECT_EQ(before.checkpoints(0).step(), 2);  // the newest first
  ASSERT_TRUE(Start(learner, 1).ok());
  EXPECT_TRUE(Status().groups_retired_by_reason().empty());  // forgotten with its step
  EXPECT_EQ(Status().step(), 1);
  EXPECT_EQ(store_->Checkpoints()->size(), 1u);
  ASSERT_EQ(store_->AbandonedCheckpoints()->size(), 1u);
  EXPECT_EQ(store_->AbandonedCheckpoints()->front().step(), 2);
  EXPECT_EQ(store_->AbandonedSteps()->size(), 1u);
  // The next learner continues from what is left.
  v1::RegisterResponse response;
  ASSERT_TRUE(Register(Registration("learner-0", v1::ROLE_LEARNER, "l:1"), nullptr, &response).ok());
  ASSERT_EQ(response.checkpoints_size(), 1);
  EXPECT_EQ(response.checkpoints(0).step(), 1);
}

}  // namespace
}  // namespace lvrpo
