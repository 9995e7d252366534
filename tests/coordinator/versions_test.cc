// Which programs work together, and how a run is upgraded while it goes on.

#include "common/exit_code.h"
#include "common/net/rpc.h"
#include "coordinator/client.h"
#include "coordinator/state/compatibility.h"
#include "tests/coordinator/service_fixture.h"
#include "tests/testing/fake_waiting.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

v1::Build BuildOf(const std::string& version, int protocol, int run_format = 2,
                  const std::string& commit = "") {
  v1::Build build;
  build.set_version(version);
  build.set_commit(commit);
  build.set_protocol(protocol);
  build.set_run_format(run_format);
  return build;
}

TEST(Compatibility, ProtocolsAreEqualAndOnlyLearnersShareTheFormatOfFolders) {
  const v1::Build own = BuildOf("0.2.0", 4);
  struct {
    const char* what;
    v1::Role role;
    v1::Build theirs;
    bool works, other;
  } cases[] = {
      {"the same", v1::ROLE_LEARNER, own, true, false},
      {"another version", v1::ROLE_LEARNER, BuildOf("0.2.1", 4), true, true},
      {"another commit", v1::ROLE_ROLLOUT_WORKER, BuildOf("0.2.0", 4, 2, "abc"), true, true},
      {"an older protocol", v1::ROLE_ROLLOUT_WORKER, BuildOf("0.1.0", 3), false, true},
      {"a newer protocol", v1::ROLE_REWARD_SERVER, BuildOf("0.3.0", 5), false, true},
      {"none is named", v1::ROLE_REWARD_SERVER, v1::Build(), false, true},
      {"a worker of another format", v1::ROLE_ROLLOUT_WORKER, BuildOf("0.2.1", 4, 3), true, true},
      {"a learner of another format", v1::ROLE_LEARNER, BuildOf("0.2.1", 4, 3), false, true},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(BuildConflict("m", c.role, c.theirs, own).empty(), c.works) << c.what;
    EXPECT_EQ(IsOtherVersion(c.theirs, own), c.other) << c.what;
  }
  EXPECT_EQ(
      BuildConflict("rollout-0", v1::ROLE_ROLLOUT_WORKER, BuildOf("0.1.0", 3, 2, "abc"), own),
      "rollout-0 runs 0.1.0 (abc, protocol 3), and the coordinator 0.2.0 (protocol 4): both need the same "
      "version; one of them waits to be upgraded");
  EXPECT_THAT(BuildConflict("rollout-0", v1::ROLE_ROLLOUT_WORKER, v1::Build(), own),
              HasSubstr("a version that names no protocol"));
}

class UpgradeTest : public ServiceTest {
 protected:
  CoordinatorService::Options ServiceOptions() const override {
    CoordinatorService::Options options = ServiceTest::ServiceOptions();
    options.build = own_;
    return options;
  }
  v1::RegisterRequest Of(const std::string& id, v1::Role role, const v1::Build& build) {
    v1::RegisterRequest request = Registration(id, role);
    *request.mutable_build() = build;
    return request;
  }
  v1::Fence Join(const std::string& id, v1::Role role, const v1::Build& build) {
    v1::Fence fence;
    const grpc::Status status = Register(Of(id, role, build), &fence);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return fence;
  }
  // All roles of one program.
  void JoinAll(const v1::Build& build) {
    learner_ = Join("learner-0", v1::ROLE_LEARNER, build);
    worker_ = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER, build);
    Join("reward-0", v1::ROLE_REWARD_SERVER, build);
    ASSERT_TRUE(Start(learner_, Status().step()).ok());
  }
  void Step(const v1::Build& build) {
    const int64_t step = Status().step();
    Join("reward-0", v1::ROLE_REWARD_SERVER, build);
    v1::LeaseGroupRequest request;
    *request.mutable_fence() = worker_;
    *request.mutable_version() = Version(step);
    v1::LeaseGroupResponse lease;
    ASSERT_TRUE(service_->LeaseGroup(nullptr, &request, &lease).ok());
    ASSERT_TRUE(lease.granted()) << lease.waiting_for();
    v1::SubmitGroupResponse submitted;
    ASSERT_TRUE(Submit(worker_, lease.lease(), &submitted).ok());
    ASSERT_TRUE(Commit(learner_, step, lease.lease().id().ordinal()).ok());
  }

  v1::Build own_ = BuildOf("0.1.0", 1);
  v1::Fence learner_, worker_;
};

// The same protocol: the roles change one after another, in whatever order.
TEST_F(UpgradeTest, EachRoleChangesItsVersionWhileTheRunGoesOn) {
  const v1::Build old_build = own_, new_build = BuildOf("0.2.0", 1);
  JoinAll(old_build);
  Step(old_build);
  worker_ = Join("rollout-1", v1::ROLE_ROLLOUT_WORKER, new_build);
  Step(old_build);
  service_->Tick();
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_coordinator_members_of_other_version 1"));
  EXPECT_EQ(Status().build().version(), "0.1.0");
  const v1::GetStatusResponse status = Status();
  for (const v1::Member& member : status.members())
    EXPECT_EQ(member.build().version(), member.member_id() == "rollout-1" ? "0.2.0" : "0.1.0")
        << member.member_id();
  own_ = new_build;
  Open();
  worker_ = Join("rollout-1", v1::ROLE_ROLLOUT_WORKER, new_build);
  learner_ = Join("learner-0", v1::ROLE_LEARNER, old_build);
  ASSERT_TRUE(Start(learner_, 0).ok());  // no checkpoint is recorded: it begins at the base
}

// Another protocol: members of the old one are refused from the coordinator's first moment on, and the run
// goes on with the new ones, from where it was.
TEST_F(UpgradeTest, AnotherProtocolIsRefusedWithOneSentence) {
  const v1::Build old_build = own_, new_build = BuildOf("0.2.0", 2);
  JoinAll(old_build);
  Step(old_build);
  ASSERT_TRUE(Checkpoint(learner_, 1).ok());
  for (const v1::Role role : {v1::ROLE_LEARNER, v1::ROLE_ROLLOUT_WORKER, v1::ROLE_REWARD_SERVER}) {
    const grpc::Status early = Register(Of("new", role, new_build));
    EXPECT_EQ(Reason(early), v1::REFUSAL_VERSION_MISMATCH);
    EXPECT_EQ(ExitCodeFor(FromGrpcStatus(early)), kExitRetry);
  }
  own_ = new_build;
  Open();
  const grpc::Status late = Register(Of("rollout-0", v1::ROLE_ROLLOUT_WORKER, old_build));
  EXPECT_EQ(Reason(late), v1::REFUSAL_VERSION_MISMATCH);
  EXPECT_EQ(late.error_message(),
            "rollout-0 runs 0.1.0 (protocol 1), and the coordinator 0.2.0 (protocol 2): both need the same "
            "version; one "
            "of them waits to be upgraded");
  EXPECT_THAT(metrics_.Render(),
              HasSubstr("lvrpo_coordinator_refusals_total{reason=\"version_mismatch\"} 4"));
  JoinAll(new_build);
  EXPECT_EQ(Status().step(), 1);
  Step(new_build);
  EXPECT_EQ(Status().step(), 2);
}

// A member of the new version that comes first waits for its coordinator, a minute at most.
TEST_F(UpgradeTest, AMemberWaitsForTheCoordinatorOfItsVersion) {
  auto server = RpcServer::Start({}, {service_.get()});
  MemberSession::Options options;
  options.coordinator = (*server)->address();
  options.role = v1::ROLE_REWARD_SERVER;
  options.member_id = "reward-0";
  options.address = "127.0.0.1:1";
  options.config_digest = "config";
  options.build = BuildOf("0.2.0", 2);
  options.patience = absl::InfiniteDuration();
  FakeWaiting time;
  options.waiting = time.waiting();
  std::string waits_for;
  options.waits = [&waits_for](const std::string& what) { waits_for = what; };
  const absl::Time begin = time.clock.Now();
  const auto refused = MemberSession::Join(
      options, [] { return MemberSession::Report(); }, nullptr);
  EXPECT_EQ(ExitCodeFor(refused.status()), kExitRetry) << refused.status();
  EXPECT_THAT(waits_for, HasSubstr("reward-0 runs 0.2.0 (protocol 2), and the coordinator 0.1.0"));
  EXPECT_GE(time.clock.Now() - begin, absl::Minutes(1));
  EXPECT_LT(time.clock.Now() - begin, absl::Minutes(2));
}

}  // namespace
}  // namespace lvrpo
