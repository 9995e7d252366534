#include <sqlite3.h>

#include <algorithm>

#include "common/files/file.h"
#include "coordinator/records/audit.h"
#include "tests/coordinator/service_fixture.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

void ExpectSound(const std::string& run_dir) {
  const auto proofs = AuditRun(run_dir);
  ASSERT_TRUE(proofs.ok()) << proofs.status();
  for (const Proof& proof : *proofs) EXPECT_TRUE(proof.holds) << proof.sentence;
}

// Disks that cannot be written for a while.
class DegradedTest : public StartedServiceTest {
 protected:
  // On the service's own connection.
  void Own(const std::string& sql) {
    ASSERT_EQ(sqlite3_exec(store_->database(), sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
  }
  // The database may not grow by another page.
  void FillDisk() {
    Own("PRAGMA max_page_count=1");  // SQLite raises this to what is there
  }
  void FreeDisk() { Own("PRAGMA max_page_count=1000000"); }
  // Half a second later the service tries again.
  void TryAgain() {
    clock_.Advance(absl::Seconds(1));
    service_->Tick();
  }
};

TEST_F(DegradedTest, WritesAreRefusedAndReadsGoOn) {
  const v1::Lease lease = Lease(worker_, 0).lease();
  Own("PRAGMA query_only=1");
  v1::SubmitGroupResponse submitted;
  const grpc::Status refused = Submit(worker_, lease, &submitted);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Reason(refused), v1::REFUSAL_DEGRADED);
  EXPECT_EQ(Status().groups_by_state().at("complete"), 0);  // not ahead of the disk
  EXPECT_EQ(Status().groups_by_state().at("leased"), 1);
  EXPECT_THAT(Status().waiting_for(), HasSubstr("degraded"));
  EXPECT_THAT(service_->trouble(), HasSubstr("degraded: read-only: "));
  EXPECT_TRUE(service_->fatal().ok());
  for (int second = 0; second < 20; ++second) {  // far beyond all time-outs of members and leases
    EXPECT_TRUE(Beat(worker_).ok());
    EXPECT_TRUE(Beat(learner_).ok());
    TryAgain();
  }
  EXPECT_EQ(Reason(Register(Registration("rollout-1", v1::ROLE_ROLLOUT_WORKER))), v1::REFUSAL_DEGRADED);
  Own("PRAGMA query_only=0");
  TryAgain();
  EXPECT_EQ(service_->trouble(), "");
  EXPECT_EQ(Status().members_size(), 2);  // those that were heard from
  const auto events = store_->Events();
  const auto recovered = std::find_if(events->begin(), events->end(),
                                      [](const EventRecord& event) { return event.kind == "recovered"; });
  ASSERT_NE(recovered, events->end());
  EXPECT_THAT(recovered->text, HasSubstr("after 21s of: read-only: "));
}

TEST_F(DegradedTest, AFullDiskLosesNothing) {
  TakeStep(learner_, worker_, 0);
  FillDisk();
  // Until no page is free.
  for (int i = 0; i < 200 && service_->trouble().empty(); ++i) {
    v1::RegisterRequest filler = Registration("reward-1", v1::ROLE_REWARD_SERVER, "r:1");
    Register(filler);
  }
  EXPECT_THAT(service_->trouble(), HasSubstr("degraded: disk full: "));
  const int64_t leased = Status().groups_by_state().at("leased");
  for (int second = 0; second < 5; ++second) TryAgain();
  EXPECT_THAT(service_->trouble(), HasSubstr("degraded: disk full: "));
  FreeDisk();
  TryAgain();
  EXPECT_EQ(service_->trouble(), "");
  EXPECT_EQ(Status().groups_by_state().at("leased"), leased);
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  ASSERT_TRUE(Start(learner, 1).ok());
  TakeStep(learner, Join("rollout-0", v1::ROLE_ROLLOUT_WORKER), 1);
  ExpectSound(dir_.string());
}

TEST_F(DegradedTest, AnotherProgramsLockIsWaitedFor) {
  const v1::Lease lease = Lease(worker_, 0).lease();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(DatabasePath().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  v1::SubmitGroupResponse submitted;
  EXPECT_EQ(Reason(Submit(worker_, lease, &submitted)), v1::REFUSAL_DEGRADED);
  EXPECT_THAT(service_->trouble(), HasSubstr("degraded: locked by another program"));
  EXPECT_TRUE(Beat(worker_).ok());
  TryAgain();
  EXPECT_NE(service_->trouble(), "");
  ASSERT_EQ(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  TryAgain();
  ASSERT_TRUE(Submit(worker_, lease, &submitted).ok());
  EXPECT_TRUE(submitted.accepted());
  EXPECT_FALSE(submitted.repeated_submit());
  ASSERT_TRUE(Commit(learner_, 0, lease.id().ordinal()).ok());
  ExpectSound(dir_.string());
}

// Each kind of write, refused and repeated: memory and disk agree after each.
TEST_F(DegradedTest, WhateverWasRefusedCanBeRepeated) {
  const auto stumbling = [&](const std::function<grpc::Status()>& write) {
    Own("PRAGMA query_only=1");
    EXPECT_EQ(Reason(write()), v1::REFUSAL_DEGRADED);
    Own("PRAGMA query_only=0");
    TryAgain();
    const grpc::Status status = write();
    EXPECT_TRUE(status.ok()) << status.error_message();
  };
  v1::LeaseGroupRequest request;
  *request.mutable_fence() = worker_;
  *request.mutable_version() = Version(0);
  v1::LeaseGroupResponse leased;
  stumbling([&] { return service_->LeaseGroup(nullptr, &request, &leased); });
  v1::SubmitGroupResponse submitted;
  stumbling([&] { return Submit(worker_, leased.lease(), &submitted); });
  EXPECT_FALSE(submitted.repeated_submit());
  const v1::AssignStepRequest assign = AssignmentOf(learner_);
  v1::AssignStepResponse assigned;
  stumbling([&] { return service_->AssignStep(nullptr, &assign, &assigned); });
  v1::CommitStepRequest commit;
  *commit.mutable_fence() = learner_;
  commit.set_learner_epoch(Epoch());
  commit.add_ordinals(leased.lease().id().ordinal());
  *commit.mutable_new_version() = Version(1);
  v1::CommitStepResponse committed;
  stumbling([&] { return service_->CommitStep(nullptr, &commit, &committed); });
  stumbling([&] { return Checkpoint(learner_, 1); });
  EXPECT_EQ(Status().step(), 1);
  ExpectSound(dir_.string());
  Open();
  EXPECT_EQ(Status().step(), 1);
  EXPECT_EQ(store_->Events()->back().kind, "coordinator_start");
}

TEST_F(DegradedTest, ACoordinatorThatStartsOnAFullDiskWaitsForIt) {
  service_.reset();
  auto store = Store::Open(DatabasePath(), "run", "config");
  ASSERT_TRUE(store.ok());
  store_ = store->get();
  Own("PRAGMA query_only=1");
  auto service = CoordinatorService::Create(ServiceOptions(), *std::move(store), clock_, metrics_);
  ASSERT_TRUE(service.ok());
  service_ = *std::move(service);
  EXPECT_TRUE(service_->Start().ok());
  EXPECT_THAT(service_->trouble(), HasSubstr("degraded"));
  EXPECT_EQ(Reason(Register(Registration("learner-0", v1::ROLE_LEARNER, "l:1"))), v1::REFUSAL_DEGRADED);
  EXPECT_EQ(Reason(Beat(worker_)), v1::REFUSAL_DEGRADED);
  Own("PRAGMA query_only=0");
  TryAgain();
  EXPECT_EQ(service_->trouble(), "");
  EXPECT_EQ(*store_->GetNumber("run_epoch", 0), 2);
  Join("learner-0", v1::ROLE_LEARNER, "l:1");
}

TEST_F(DegradedTest, ADamagedDatabaseIsFatal) {
  Own("DROP TABLE events");
  EXPECT_EQ(Register(Registration("rollout-1", v1::ROLE_ROLLOUT_WORKER)).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(service_->fatal().ok());
}

TEST_F(DegradedTest, WhatCouldNotBeWrittenIsNotAnswered) {
  const v1::Lease lease = Lease(worker_, 0).lease();
  Sql("ALTER TABLE groups RENAME TO away");
  v1::SubmitGroupResponse submitted;
  EXPECT_EQ(Submit(worker_, lease, &submitted).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(service_->fatal().ok());
  // Nothing is promised from then on, not even what needs no groups.
  EXPECT_EQ(Submit(worker_, lease, &submitted).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Beat(worker_).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Register(Registration("rollout-1", v1::ROLE_ROLLOUT_WORKER)).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  Sql("ALTER TABLE away RENAME TO groups");
  Open();
  EXPECT_EQ(Status().groups_by_state().at("complete"), 0);
  EXPECT_EQ(Status().groups_by_state().at("leased"), 1);
}

TEST_F(DegradedTest, AnUnwritableLogDoesNotEndTheRun) {
  const std::string log = (dir_ / "metrics.jsonl").string();
  std::filesystem::remove(log);
  std::filesystem::create_directory(log);
  TakeStep(learner_, worker_, 0);
  TakeStep(learner_, worker_, 1);
  std::filesystem::remove(log);
  clock_.Advance(absl::Seconds(31));
  service_->Tick();
  const std::string lines = ReadFile(log).value_or("");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
}

}  // namespace
}  // namespace lvrpo
