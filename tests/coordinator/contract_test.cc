#include "coordinator/contract.h"

#include "tests/coordinator/service_fixture.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using Terms = RunContract::Terms;

TEST(RunContract, WhoMustNameWhat) {
  RunContract contract;
  contract.Restore(
      {{"schedule", {"aaaa", v1::ROLE_LEARNER}}, {"prompts", {"cccc", v1::ROLE_ROLLOUT_WORKER}}});
  struct {
    v1::Role role;
    Terms terms;
    const char* conflict;  // a part of it; empty: none
  } cases[] = {
      {v1::ROLE_LEARNER, {{"schedule", "aaaa"}}, ""},
      {v1::ROLE_LEARNER, {{"schedule", "bbbb"}}, "this run began with aaaa"},
      {v1::ROLE_LEARNER, {{"prompts", "cccc"}}, "does not say which \"schedule\""},
      {v1::ROLE_LEARNER, {}, "names nothing"},
      {v1::ROLE_LEARNER, {{"schedule", "aaaa"}, {"new", "dddd"}}, ""},
      {v1::ROLE_LEARNER, {{"schedule", "aaaa"}, {"prompts", "dddd"}}, "\"prompts\""},
      {v1::ROLE_ROLLOUT_WORKER, {{"schedule", "aaaa"}, {"prompts", "cccc"}}, ""},
      {v1::ROLE_ROLLOUT_WORKER, {{"schedule", "aaaa"}}, "does not say which \"prompts\""},
      {v1::ROLE_ROLLOUT_WORKER, {{"schedule", "aaaa"}, {"prompts", "dddd"}}, "\"prompts\" of m is dddd"},
      {v1::ROLE_ROLLOUT_WORKER, {}, "names nothing"},
      {v1::ROLE_REWARD_SERVER, {}, ""},
      {v1::ROLE_REWARD_SERVER, {{"schedule", "bbbb"}}, "\"schedule\""},
  };
  for (const auto& c : cases) {
    const std::string conflict = contract.Conflict("m", c.role, c.terms);
    EXPECT_THAT(conflict, HasSubstr(c.conflict));
    EXPECT_EQ(conflict.empty(), std::string(c.conflict).empty()) << conflict;
  }
}

// A run may continue on other processors, as long as its members' GEMMs round alike.
TEST(RunContract, HowProcessorsMultiplyIsNotSettledForGood) {
  const RunContract contract;
  const Terms here = {{"schedule", "aaaa"}, {"CPU product (one kind)", "own/avx512"}};
  Terms other = here;
  other["CPU product (one kind)"] = "torch/avx2";
  EXPECT_EQ(contract.Unsettled(v1::ROLE_LEARNER, here).size(), 1u);
  EXPECT_EQ(ContractConflict("worker", here, "learner", here), "");
  EXPECT_THAT(ContractConflict("worker", other, "learner", here), HasSubstr("CPU product"));
}

using ContractTest = ServiceTest;

v1::RegisterRequest With(v1::RegisterRequest request, const std::string& key, const std::string& value) {
  (*request.mutable_contract())[key] = value;
  return request;
}

TEST_F(ContractTest, RefusesAnotherConfiguration) {
  v1::RegisterRequest request = Registration("learner-0", v1::ROLE_LEARNER, "l:1");
  request.set_config_digest("another");
  EXPECT_EQ(Reason(Register(request)), v1::REFUSAL_CONFIG_MISMATCH);
}

TEST_F(ContractTest, AWorkerMustAgreeWithTheLearnerThatIsHere) {
  Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::RegisterRequest worker = Registration("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  const grpc::Status status = Register(With(worker, "schedule", "other"));
  EXPECT_EQ(Reason(status), v1::REFUSAL_CONTRACT_MISMATCH);
  EXPECT_THAT(status.error_message(), HasSubstr("disagree on \"schedule\": other and aaaa"));
  v1::RegisterRequest less = worker;
  less.mutable_contract()->erase("base weights");
  EXPECT_EQ(Reason(Register(less)), v1::REFUSAL_CONTRACT_MISMATCH);
  less.clear_contract();
  EXPECT_EQ(Reason(Register(less)), v1::REFUSAL_CONTRACT_MISMATCH);
  EXPECT_TRUE(Register(worker).ok());
}

// A member that comes first with other terms locks nobody out: the learner's terms count.
TEST_F(ContractTest, TheLearnerThatStartsTrainingSettlesIt) {
  v1::Fence stranger;
  ASSERT_TRUE(
      Register(With(Registration("rollout-9", v1::ROLE_ROLLOUT_WORKER), "schedule", "x"), &stranger).ok());
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  EXPECT_EQ(Reason(Beat(stranger)), v1::REFUSAL_NOT_A_MEMBER);
  EXPECT_EQ(Reason(Register(With(Registration("rollout-9", v1::ROLE_ROLLOUT_WORKER), "schedule", "x"))),
            v1::REFUSAL_CONTRACT_MISMATCH);
  EXPECT_TRUE(Lease(worker, 0).granted());
}

// In strict runs the kind of processor is a term: a worker is held to the learner's, whoever joined first.
TEST_F(ContractTest, AWorkerOnAnotherProcessorGoesWhoeverJoinedFirst) {
  const auto on = [](const v1::RegisterRequest& request, const char* product) {
    return With(request, "CPU product (one kind)", product);
  };
  const v1::RegisterRequest early = on(Registration("rollout-0", v1::ROLE_ROLLOUT_WORKER), "torch/avx2"),
                            same = on(Registration("rollout-1", v1::ROLE_ROLLOUT_WORKER), "own/avx512");
  v1::Fence other, fits, learner;
  ASSERT_TRUE(Register(early, &other).ok());
  ASSERT_TRUE(Register(same, &fits).ok());
  ASSERT_TRUE(Register(on(Registration("learner-0", v1::ROLE_LEARNER, "l:1"), "own/avx512"), &learner).ok());
  for (int again = 0; again < 2; ++again) {  // also when nothing is left to settle
    ASSERT_TRUE(Start(learner, 0).ok());
    EXPECT_EQ(Reason(Beat(other)), v1::REFUSAL_NOT_A_MEMBER);
    EXPECT_TRUE(Beat(fits).ok());
    EXPECT_EQ(Reason(Register(early)), v1::REFUSAL_CONTRACT_MISMATCH);
    // A coordinator that started again meets them in this order once more.
    Open();
    ASSERT_TRUE(Register(early, &other).ok());
    ASSERT_TRUE(Register(same, &fits).ok());
    ASSERT_TRUE(
        Register(on(Registration("learner-0", v1::ROLE_LEARNER, "l:1"), "own/avx512"), &learner).ok());
  }
}

TEST_F(ContractTest, AnotherLearnerIsHeldToIt) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  ASSERT_TRUE(Start(learner, 0).ok());
  EXPECT_EQ(Reason(Register(With(Registration("learner-0", v1::ROLE_LEARNER, "l:1"), "base weights", "x"))),
            v1::REFUSAL_CONTRACT_MISMATCH);
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  EXPECT_TRUE(Lease(worker, 0).granted());  // a learner that is refused disturbs nobody
}

// What changed between two starts of a run is named, for any role.
TEST_F(ContractTest, FilesThatChangedSinceTheRunBeganAreNamed) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  TakeStep(learner, worker, 0);
  Open();
  for (const auto& [request, key] :
       {std::pair{Registration("learner-0", v1::ROLE_LEARNER, "l:1"), "base weights"},
        std::pair{Registration("rollout-0", v1::ROLE_ROLLOUT_WORKER), "base weights"},
        std::pair{Registration("rollout-1", v1::ROLE_ROLLOUT_WORKER), "prompts"}}) {
    const grpc::Status status = Register(With(request, key, "changed"));
    EXPECT_EQ(Reason(status), v1::REFUSAL_CONTRACT_MISMATCH);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_THAT(status.error_message(), HasSubstr("\"" + std::string(key) + "\" of " + request.member_id() +
                                                  " is changed, but this run began with "));
  }
  Join("learner-0", v1::ROLE_LEARNER, "l:1");
  Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
}

// Terms that the learner does not name are fixed by the first worker that gets a lease.
TEST_F(ContractTest, WorkersSettleTheRestWithTheFirstLease) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  v1::Fence other;
  ASSERT_TRUE(
      Register(With(Registration("rollout-1", v1::ROLE_ROLLOUT_WORKER), "prompts", "x"), &other).ok());
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  ASSERT_TRUE(Lease(worker, 0).granted());
  EXPECT_EQ(Reason(Beat(other)), v1::REFUSAL_NOT_A_MEMBER);
  EXPECT_TRUE(Beat(worker).ok());
}

}  // namespace
}  // namespace lvrpo
