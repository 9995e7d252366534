#include "reward_server/remote/external_scorer_client.h"

#include <atomic>

#include "absl/synchronization/notification.h"
#include "common/exit_code.h"
#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/lvrpo/v1/external_scorer.grpc.pb.h"
#include "reward_server/remote/external_scorer.h"
#include "tests/remote_scorers/fake_transport.h"
#include "tests/remote_scorers/groups.h"
#include "tests/testing/fake_waiting.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

// Scores samples by their order, and fails as it is told to.
class TestService : public v1::ExternalScorer::Service {
 public:
  grpc::Status Describe(grpc::ServerContext*, const v1::DescribeScorerRequest*,
                        v1::DescribeScorerResponse* response) override {
    response->set_digest("w/1");
    return Next();
  }
  grpc::Status ScoreSamples(grpc::ServerContext* context, const v1::ScoreSamplesRequest* request,
                            v1::ScoreSamplesResponse* response) override {
    if (blocked) end.WaitForNotification();
    response->set_digest("w/1");
    for (int i = 0; i < request->samples_size(); ++i) {
      v1::ExternalScore& score = *response->add_scores();
      score.set_value(static_cast<float>(i) / 10);
      score.set_detail(std::string(detail_bytes, 'x'));
    }
    return Next();
  }

  std::atomic<int> failures = 0;  // of the next calls
  grpc::Status failure;
  std::atomic<bool> blocked = false;  // until `end`
  absl::Notification end;
  size_t detail_bytes = 1;

 private:
  grpc::Status Next() { return failures > 0 && failures-- > 0 ? failure : grpc::Status::OK; }
};

class GrpcScorerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = RpcServer::Start({}, {&service_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    config_.set_name("mine");
    config_.set_address(server_->address());
    config_.set_task("image");
  }
  absl::StatusOr<std::unique_ptr<ExternalScorer>> Create(LinkOptions options = {}) {
    options.waiting = time_.waiting();
    return ExternalScorer::Create(config_, options);
  }

  TestService service_;
  std::unique_ptr<RpcServer> server_;
  v1::ExternalScorerConfig config_;
  FakeWaiting time_;
};

TEST_F(GrpcScorerTest, Scores) {
  const auto scorer = Create();
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  EXPECT_EQ((*scorer)->digest(), "external/mine/w/1");
  const auto scores = (*scorer)->ScoreGroup(ImageGroup(3));
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_FLOAT_EQ((*scores)[2].value, .2f);
}

TEST_F(GrpcScorerTest, RepeatsCallsThatFailedForWantOfCapacityAndNoOthers) {
  struct Case {
    grpc::StatusCode code;
    int failures;
    absl::StatusCode result;
    size_t waits;
  };
  const Case cases[] = {
      {grpc::StatusCode::UNAVAILABLE, 3, absl::StatusCode::kOk, 3},
      {grpc::StatusCode::RESOURCE_EXHAUSTED, 1, absl::StatusCode::kOk, 1},
      {grpc::StatusCode::UNAVAILABLE, 4, absl::StatusCode::kUnavailable, 3},
      {grpc::StatusCode::INVALID_ARGUMENT, 1, absl::StatusCode::kInvalidArgument, 0},
      {grpc::StatusCode::INTERNAL, 1, absl::StatusCode::kDataLoss, 0},
  };
  const auto scorer = Create();
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  for (const Case& c : cases) {
    time_.waits.clear();
    service_.failure = grpc::Status(c.code, "not now");
    service_.failures = c.failures;
    const absl::Status status = (*scorer)->ScoreGroup(ImageGroup(1)).status();
    EXPECT_EQ(status.code(), c.result) << c.code << ": " << status;
    EXPECT_EQ(time_.waits.size(), c.waits) << c.code;
    if (status.ok()) continue;
    EXPECT_EQ(status.message(), "external scorer 'mine' at " + server_->address() + ": not now");
  }
}

TEST_F(GrpcScorerTest, WhatTheScorerSaysIsNoBugOfThisProgram) {
  service_.failures = 100;
  for (int code = 1; code <= 16; ++code) {
    service_.failure = grpc::Status(static_cast<grpc::StatusCode>(code), "odd\x1b[31m\nlvrpo: done");
    const absl::Status status = Create({.deadline = absl::Seconds(5)}).status();
    EXPECT_NE(ExitCodeFor(status), kExitBug) << status;
    EXPECT_NE(ExitCodeFor(status), kExitDone);
    EXPECT_THAT(std::string(status.message()), HasSubstr("odd [31m lvrpo: done")) << code;
  }
}

TEST_F(GrpcScorerTest, WaitsForAServerThatIsStillStarting) {
  service_.failure = grpc::Status(grpc::StatusCode::UNAVAILABLE, "loading");
  service_.failures = 8;
  EXPECT_TRUE(Create({.deadline = absl::Minutes(5)}).ok());
  EXPECT_EQ(time_.waits.size(), 8u);
}

TEST_F(GrpcScorerTest, CreationFailsWhenNobodyIsThere) {
  server_.reset();
  const absl::Status status = Create({.deadline = absl::Minutes(1)}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("external scorer 'mine' at " + config_.address() + ": "));
}

TEST_F(GrpcScorerTest, ACallEndsByItsDeadlineAndIsNotRepeated) {
  service_.blocked = true;
  const auto link =
      MakeGrpcLink(config_.address(), {.deadline = absl::Milliseconds(300), .waiting = time_.waiting()});
  const absl::Status status = link->ScoreSamples({}).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_TRUE(time_.waits.empty());
  service_.end.Notify();
}

TEST_F(GrpcScorerTest, AnswersAboveTheLimitAreRefusedAtOnce) {
  const auto scorer = Create({.max_message_mib = 1});
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  service_.detail_bytes = 2 << 20;
  const absl::Status status = (*scorer)->ScoreGroup(ImageGroup(1)).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("too large"));
  EXPECT_TRUE(time_.waits.empty());
}

}  // namespace
}  // namespace lvrpo
