#include "coordinator/records/go_back.h"

#include "common/files/file.h"
#include "common/files/file_lock.h"
#include "coordinator/records/audit.h"
#include "tests/coordinator/service_fixture.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

// A stopped run of two steps with a checkpoint after each.
class GoBackTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
    const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
    ASSERT_TRUE(Start(learner, 0).ok());
    for (int64_t step = 0; step < 2; ++step) {
      TakeStep(learner, worker, step);
      ASSERT_TRUE(Checkpoint(learner, step + 1).ok());
    }
    service_.reset();
  }
  absl::Status Back(int64_t step) { return GoBack(dir_.string(), step, clock_.Now()); }
  // The run is started again and goes on to its end.
  void FinishFrom(int64_t step) {
    Open();
    v1::Fence learner;
    v1::RegisterResponse registered;
    ASSERT_TRUE(Register(Registration("learner-0", v1::ROLE_LEARNER, "l:1"), &learner, &registered).ok());
    EXPECT_EQ(registered.checkpoints_size(), step);  // one a step
    ASSERT_TRUE(Start(learner, step).ok());
    const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
    for (; step < 3; ++step) TakeStep(learner, worker, step);
    ASSERT_TRUE(Checkpoint(learner, 3).ok());
    EXPECT_TRUE(Status().finished());
    service_.reset();
  }
  void ExpectSound() const {
    const auto proofs = AuditRun(dir_.string());
    ASSERT_TRUE(proofs.ok()) << proofs.status();
    for (const Proof& proof : *proofs) EXPECT_TRUE(proof.holds) << proof.sentence;
  }
};

TEST_F(GoBackTest, ToACheckpointOrTheBaseAndOnFromThere) {
  for (const int64_t step : {1, 0}) {
    ASSERT_TRUE(Back(step).ok());
    ExpectSound();
    Open();
    EXPECT_EQ(Status().step(), step);
    EXPECT_THAT(store_->Events()->at(store_->Events()->size() - 2).text,
                HasSubstr(step == 0 ? "to the base weights" : "to its checkpoint of 1"));
    service_.reset();
    FinishFrom(step);
    ExpectSound();
  }
}

TEST_F(GoBackTest, NotWhileACoordinatorServesTheRun) {
  const auto lock = FileLock::Take((dir_ / "coordinator.lock").string(), absl::ZeroDuration());
  ASSERT_TRUE(lock.ok());
  EXPECT_TRUE(absl::IsUnavailable(Back(1)));
  Open();
  EXPECT_EQ(Status().step(), 2);
}

TEST_F(GoBackTest, OnlyToWhatIsOnRecordAndIntact) {
  EXPECT_TRUE(absl::IsInvalidArgument(Back(3)));
  EXPECT_TRUE(absl::IsInvalidArgument(Back(-1)));
  EXPECT_TRUE(absl::IsNotFound(GoBack((dir_ / "elsewhere").string(), 0, clock_.Now())));
  ASSERT_TRUE(WriteFileAtomic((dir_ / "checkpoints/step_000001/policy.safetensors").string(), "other").ok());
  const absl::Status damaged = Back(1);
  EXPECT_TRUE(absl::IsDataLoss(damaged)) << damaged;
  EXPECT_THAT(std::string(damaged.message()), HasSubstr("checkpoints/step_000001 has a damaged policy"));
  std::filesystem::remove_all(dir_ / "checkpoints/step_000001");
  EXPECT_TRUE(absl::IsDataLoss(Back(1)));
  Open();
  EXPECT_EQ(Status().step(), 2);  // nothing was changed
  // A step without a checkpoint names those that there are.
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  ASSERT_TRUE(Start(learner, 2).ok());
  TakeStep(learner, Join("rollout-0", v1::ROLE_ROLLOUT_WORKER), 2);
  service_.reset();
  const absl::Status none = Back(3);
  EXPECT_TRUE(absl::IsFailedPrecondition(none)) << none;
  EXPECT_THAT(std::string(none.message()), HasSubstr("0 (the base), 1, 2"));
}

}  // namespace
}  // namespace lvrpo
