#include "coordinator/request_check.h"

#include <cmath>
#include <limits>

#include "tests/coordinator/service_fixture.h"

namespace lvrpo {
namespace {

using RequestTest = ServiceTest;

TEST_F(RequestTest, NamesOfMembers) {
  for (const char* good : {"rollout-0", "learner-0", "lvrpo-rollout-7d9c.node_3", "A", "7"})
    EXPECT_TRUE(CheckRegister(Registration(good, v1::ROLE_ROLLOUT_WORKER)).ok()) << good;
  for (const std::string& bad : {std::string(), std::string("two words"), std::string("line\nfeed"),
                                 std::string("\x1b[31mred"), std::string("../up"), std::string("-flag"),
                                 std::string(".hidden"), std::string("a/b"), std::string("na\xc3\xafve"),
                                 std::string("quote\""), std::string(129, 'a'), std::string(1 << 20, 'a')}) {
    const absl::Status status = CheckRegister(Registration(bad, v1::ROLE_ROLLOUT_WORKER));
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << bad.substr(0, 40);
    EXPECT_LT(status.message().size(), 300u);
    EXPECT_EQ(status.message().find('\n'), std::string::npos);
  }
}

TEST_F(RequestTest, Addresses) {
  for (const char* good : {"127.0.0.1:7070", "learner-0.lvrpo:7071", "[::1]:7070", "l:1", "host:65535"})
    EXPECT_TRUE(CheckRegister(Registration("m", v1::ROLE_LEARNER, good)).ok()) << good;
  for (const std::string& bad :
       {std::string("host"), std::string(":7070"), std::string("host:"), std::string("host:0"),
        std::string("host:65536"), std::string("host:70 70"), std::string("host:-1"), std::string("host:+1"),
        std::string("host:7070\n"), std::string("ho st:7070"), std::string("http://host:7070"),
        std::string("host:99999999999999999999"), std::string(300, 'h') + ":1", std::string(25 << 20, 'a')}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckRegister(Registration("m", v1::ROLE_LEARNER, bad))))
        << bad.substr(0, 40);
  }
  v1::RegisterRequest silent = Registration("m", v1::ROLE_LEARNER);
  silent.clear_address();
  EXPECT_FALSE(CheckRegister(silent).ok());
}

TEST_F(RequestTest, RolesTokensAndContracts) {
  const v1::RegisterRequest good = Registration("m", v1::ROLE_ROLLOUT_WORKER);
  for (const int role : {0, -1, 5, 99}) {
    v1::RegisterRequest request = good;
    request.set_role(static_cast<v1::Role>(role));
    EXPECT_FALSE(CheckRegister(request).ok()) << role;
  }
  v1::RegisterRequest process = good, terms = good, key = good, value = good, held = good;
  process.set_process("two words");
  for (int i = 0; i < 65; ++i) (*terms.mutable_contract())[std::to_string(i)] = "a";
  (*key.mutable_contract())["line\nfeed"] = "a";
  (*value.mutable_contract())["a"] = std::string(257, 'a');
  for (int i = 0; i < 4097; ++i) held.add_held()->set_ordinal(i);
  for (const v1::RegisterRequest& request : {process, terms, key, value, held})
    EXPECT_FALSE(CheckRegister(request).ok()) << request.ShortDebugString().substr(0, 80);
}

TEST_F(RequestTest, PlacesOfLearners) {
  struct {
    int rank, ranks;
    const char* rendezvous;
    bool ok;
  } cases[] = {{0, 0, "", true},         {0, 1, "", true},       {0, 2, "host:1", true},
               {1, 2, "", true},         {1023, 1024, "", true}, {0, 2, "", false},
               {0, 2, "host", false},    {2, 2, "", false},      {-1, 2, "", false},
               {1, 0, "", false},        {0, -1, "", false},     {0, 1025, "host:1", false},
               {0, 2, "host:1\n", false}};
  for (const auto& c : cases) {
    v1::RegisterRequest request = Registration("m", v1::ROLE_LEARNER);
    request.mutable_learner()->set_rank(c.rank);
    request.mutable_learner()->set_ranks(c.ranks);
    request.mutable_learner()->set_rendezvous(c.rendezvous);
    EXPECT_EQ(CheckRegister(request).ok(), c.ok) << c.rank << " of " << c.ranks << " " << c.rendezvous;
  }
  v1::RegisterRequest epoch = Registration("m", v1::ROLE_LEARNER);
  epoch.mutable_learner()->set_learner_epoch("two words");
  EXPECT_FALSE(CheckRegister(epoch).ok());
}

TEST_F(RequestTest, Submits) {
  const v1::SubmitGroupRequest good = SubmitOf(v1::Fence(), v1::Lease());
  ASSERT_TRUE(CheckSubmit(good).ok());
  v1::SubmitGroupRequest digest = good, many = good, version = good;
  digest.set_trajectory_digest(std::string(129, 'a'));
  for (int i = 0; i < 257; ++i) many.mutable_samples(0)->add_scores()->set_name("a");
  version.mutable_version()->set_number(-1);
  for (const v1::SubmitGroupRequest& request : {digest, many, version})
    EXPECT_TRUE(absl::IsInvalidArgument(CheckSubmit(request))) << request.ShortDebugString().substr(0, 80);
  // Names of logged scores become names of metrics.
  const auto logged = [&](const std::string& name, float score = 0) {
    v1::SubmitGroupRequest request = good;
    v1::ComponentScore& own = *request.mutable_samples(0)->add_logged();
    own.set_name(name);
    own.set_score(score);
    return request;
  };
  for (const char* name : {"artefacts", "written_text", "my scorer-2.1"})
    EXPECT_TRUE(CheckSubmit(logged(name)).ok()) << name;
  v1::SubmitGroupRequest crowd = good;
  for (int i = 0; i < 65; ++i) crowd.mutable_samples(0)->add_logged()->set_name("a");
  for (const v1::SubmitGroupRequest& request :
       {logged(""), logged("a\nb"), logged("a\"b"), logged(std::string(65, 'a')), logged("guard", NAN),
        logged("guard", INFINITY), crowd})
    EXPECT_TRUE(absl::IsInvalidArgument(CheckSubmit(request))) << request.ShortDebugString().substr(0, 80);
  // Texts of prompt files and scorers are kept in one line of bounded length.
  v1::SubmitGroupRequest wordy = good;
  wordy.set_kind("two\nlines" + std::string(5000, 'x'));
  v1::ComponentScore& score = *wordy.mutable_samples(0)->mutable_scores(0);
  score.set_name("na\x1bme");
  score.set_detail(std::string(5000, 'x'));
  score.set_scorer_digest(std::string(5000, 'x'));
  v1::ComponentScore& guard = *wordy.mutable_samples(0)->add_logged();
  guard.set_name("artefacts");
  guard.set_detail("two\nlines" + std::string(5000, 'x'));
  EXPECT_TRUE(CheckSubmit(wordy).ok());
  TidyTexts(&wordy);
  EXPECT_LE(wordy.kind().size(), 140u);
  EXPECT_EQ(wordy.kind().find('\n'), std::string::npos);
  EXPECT_EQ(score.name(), "na me");
  EXPECT_LE(score.detail().size(), 1010u);
  EXPECT_LE(score.scorer_digest().size(), 270u);
  EXPECT_LE(guard.detail().size(), 1010u);
  EXPECT_EQ(guard.detail().find('\n'), std::string::npos);
  v1::SubmitGroupRequest same = good;
  TidyTexts(&same);
  EXPECT_EQ(same.SerializeAsString(), good.SerializeAsString());
}

TEST_F(RequestTest, CommitsAndCheckpoints) {
  v1::CommitStepRequest commit;
  (*commit.mutable_metrics())["reward"] = 0.5;
  EXPECT_TRUE(CheckCommit(commit).ok());
  for (const std::string& name : {std::string(), std::string("line\nfeed"), std::string(129, 'a')}) {
    v1::CommitStepRequest bad = commit;
    (*bad.mutable_metrics())[name] = 1;
    EXPECT_TRUE(absl::IsInvalidArgument(CheckCommit(bad))) << name;
  }
  for (int i = 0; i < 4096; ++i) (*commit.mutable_metrics())[std::to_string(i)] = i;
  EXPECT_TRUE(absl::IsInvalidArgument(CheckCommit(commit)));
  for (const char* path : {"", "checkpoints/", "checkpoints/..", "../checkpoints/a", "/etc/passwd",
                           "checkpoints/a/b", "checkpoints/a b", "spool/x"}) {
    v1::RecordCheckpointRequest request;
    request.set_path(path);
    EXPECT_TRUE(absl::IsInvalidArgument(CheckCheckpoint(request))) << path;
  }
  v1::RecordCheckpointRequest request;
  request.set_path("checkpoints/step_000025");
  EXPECT_TRUE(CheckCheckpoint(request).ok());
  request.set_store("s3://bucket/runs/r/step_000025");
  request.set_reward(0.5);
  request.set_weights_digest("abc");
  EXPECT_TRUE(CheckCheckpoint(request).ok());
  for (const std::string& store :
       {std::string("/etc"), std::string("s3://a\nb"), "s3://" + std::string(2000, 'x')}) {
    v1::RecordCheckpointRequest bad = request;
    bad.set_store(store);
    EXPECT_TRUE(absl::IsInvalidArgument(CheckCheckpoint(bad))) << store;
  }
  v1::RecordCheckpointRequest bad = request;
  bad.set_reward(NAN);
  EXPECT_TRUE(absl::IsInvalidArgument(CheckCheckpoint(bad)));
  bad = request;
  bad.set_weights_digest("a b");
  EXPECT_TRUE(absl::IsInvalidArgument(CheckCheckpoint(bad)));
}

TEST_F(RequestTest, LostGroups) {
  v1::ReportLostGroupsRequest request;
  v1::LostGroup& group = *request.add_groups();
  for (int reason = 0; reason <= v1::RetireReason_MAX + 1; ++reason) {
    group.set_reason(static_cast<v1::RetireReason>(reason));
    const bool may = reason == v1::RETIRE_TRAJECTORY_LOST || reason == v1::RETIRE_UNTRAINABLE;
    EXPECT_EQ(CheckLostGroups(request).ok(), may) << reason;
  }
}

// Nothing from a refused or accepted request reaches other members unchecked.
TEST_F(RequestTest, WhatIsWrongIsRefusedByTheService) {
  EXPECT_EQ(Register(Registration("line\nfeed", v1::ROLE_ROLLOUT_WORKER)).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  const v1::Lease lease = Lease(worker, 0).lease();
  EXPECT_EQ(Return(worker, lease, v1::RETURN_UNSPECIFIED).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::SubmitGroupRequest request = SubmitOf(worker, lease);
  request.set_trajectory_digest("two words");
  v1::SubmitGroupResponse response;
  EXPECT_EQ(service_->SubmitGroup(nullptr, &request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  ASSERT_TRUE(Beat(worker, "stuck\n\x1b[2J" + std::string(10000, 'x')).ok());
  EXPECT_LT(Status().waiting_for().size(), 600u);
  EXPECT_EQ(Status().waiting_for().find('\x1b'), std::string::npos);
  ASSERT_TRUE(Return(worker, lease, v1::RETURN_BAD_PROMPT, "bad\nprompt" + std::string(10000, 'x')).ok());
  EXPECT_LE(store_->Group(0)->retired_detail().size(), 310u);
  EXPECT_LE(store_->Events()->back().text.size(), 400u);
}

TEST_F(RequestTest, EventsHaveABound) {
  ASSERT_TRUE(store_
                  ->Transaction([&]() -> absl::Status {
                    for (int i = 0; i < Store::kEvents + 50; ++i) {
                      if (absl::Status s = store_->PutEvent({0, "kind", std::to_string(i)}); !s.ok())
                        return s;
                    }
                    return absl::OkStatus();
                  })
                  .ok());
  const auto events = store_->Events();
  EXPECT_EQ(events->size(), static_cast<size_t>(Store::kEvents));
  EXPECT_EQ(events->back().text, std::to_string(Store::kEvents + 49));
}

}  // namespace
}  // namespace lvrpo
