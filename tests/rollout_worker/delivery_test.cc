#include "rollout_worker/delivery.h"

#include "common/hash.h"
#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rollout_worker/lasting_trouble.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/messages.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Scripted answers of the other roles.
class DeliveryTest : public ::testing::Test {
 protected:
  DeliveryTest() {
    for (const char* id : {"reward-0", "reward-1"}) {
      v1::Member& member = *view_.add_reward_servers();
      member.set_member_id(id);
      member.set_address(id);
      member.set_state("ready");
    }
    view_.add_learners()->set_address("learner-now");
    held_.Add(Lease(7).id());
  }
  std::string Deliver(const v1::Lease& lease = Lease(7)) {
    GeneratedGroup group;
    group.lease = lease;
    group.trajectory.set_ordinal(lease.id().ordinal());
    group.trajectory.set_attempt(lease.id().attempt());
    for (int slot = 0; slot < 4; ++slot) {
      group.trajectory.add_samples()->set_slot(slot);
      group.score_request.add_items();
    }
    Delivery delivery(
        {.view = [this] { return view_; },
         .score = [this](const std::string& address,
                         const v1::ScoreRequest& request) -> absl::StatusOr<v1::ScoreResponse> {
           scored_at_.push_back(address);
           calls_.push_back("score");
           if (!score_errors_.empty()) {
             const absl::Status error = score_errors_.front();
             score_errors_.erase(score_errors_.begin());
             return error;
           }
           v1::ScoreResponse response;
           for (int i = 0; i < request.items_size(); ++i)
             response.add_items()->set_reward(static_cast<float>(i));
           if (late_answers_ > 0) {
             --late_answers_;
             v1::ComponentScore& score = *response.mutable_items(2)->add_scores();
             score.set_name("brand");
             score.set_outcome(v1::ComponentScore::TIMED_OUT);
             score.set_detail("external scorer 'brand' at http://gpu:1\ndid not answer");
           }
           v1::ComponentScore& logged = *response.mutable_items(1)->add_logged();
           logged.set_name("artefacts");
           logged.set_outcome(v1::ComponentScore::OK);
           logged.set_score(0.25);
           logged.set_detail("words that nobody reads later");
           response.set_unscorable(unscorable_);
           return response;
         },
         .upload =
             [this](const std::string& address, const v1::UploadHeader& header, const std::string& bytes) {
               uploaded_at_.push_back(address);
               calls_.push_back("upload");
               uploaded_ = header;
               EXPECT_EQ(Sha256Hex(bytes), header.digest());
               EXPECT_EQ(static_cast<int64_t>(bytes.size()), header.size_bytes());
               if (upload_errors_.empty()) return absl::OkStatus();
               const absl::Status error = upload_errors_.front();
               upload_errors_.erase(upload_errors_.begin());
               return error;
             },
         .submit =
             [this](const v1::SubmitGroupRequest& request) {
               submitted_ = request;
               calls_.push_back("submit");
               return answer_;
             },
         .give_back =
             [this](const v1::ReturnLeaseRequest& request) {
               returned_ = request;
               return absl::OkStatus();
             },
         .fence = [this] { return fence_; },
         .sleep =
             [this](absl::Duration duration) {
               ++pauses_;
               paused_ += duration;
               clock_.Advance(duration);
               if (on_pause_) on_pause_();
             },
         .stopping = [this] { return stopping_; }},
        5, 0, held_, troubles_, metrics_);
    return delivery.Deliver(std::move(group));
  }
  static v1::SubmitGroupResponse Accepted() {
    v1::SubmitGroupResponse response;
    response.set_accepted(true);
    return response;
  }

  v1::PoolView view_;
  HeldLeases held_;
  FakeClock clock_;
  DeliveryTroubles troubles_{absl::Seconds(1), clock_};
  std::string unscorable_;
  Metrics metrics_;
  v1::Fence fence_;
  std::vector<std::string> calls_, scored_at_, uploaded_at_;
  std::vector<absl::Status> score_errors_, upload_errors_;
  absl::StatusOr<v1::SubmitGroupResponse> answer_ = Accepted();
  v1::UploadHeader uploaded_;
  v1::SubmitGroupRequest submitted_;
  v1::ReturnLeaseRequest returned_;
  std::function<void()> on_pause_;
  absl::Duration paused_;
  int pauses_ = 0, late_answers_ = 0;
  bool stopping_ = false;
};

TEST_F(DeliveryTest, BringsAGroupHome) {
  EXPECT_EQ(Deliver(), "accepted");
  // The learner has it before the coordinator counts on that.
  EXPECT_THAT(calls_, ElementsAre("score", "upload", "submit"));
  EXPECT_EQ(submitted_.samples_size(), 4);
  EXPECT_EQ(submitted_.samples(3).reward(), 3);
  ASSERT_EQ(submitted_.samples(1).logged_size(), 1);
  EXPECT_EQ(submitted_.samples(1).logged(0).name(), "artefacts");
  EXPECT_EQ(submitted_.samples(1).logged(0).outcome(), v1::ComponentScore::OK);
  EXPECT_EQ(submitted_.samples(1).logged(0).score(), 0.25);
  EXPECT_TRUE(submitted_.samples(1).logged(0).detail().empty());
  EXPECT_FALSE(submitted_.trajectory_digest().empty());
  EXPECT_THAT(uploaded_at_, ElementsAre("learner-now"));  // where it is now, not where the lease says
  EXPECT_TRUE(held_.Report().empty());
}

TEST_F(DeliveryTest, UploadsToTheRankOfItsLease) {
  v1::Member& second = *view_.add_learners();
  second.set_address("rank-1-now");
  second.set_rank(1);
  v1::Lease lease = Lease(7);
  lease.set_learner_address("rank-1-then");
  lease.set_rank(1);
  EXPECT_EQ(Deliver(lease), "accepted");
  held_.Add(lease.id());
  view_.mutable_learners()->RemoveLast();  // it is gone for the moment: where it was
  EXPECT_EQ(Deliver(lease), "accepted");
  EXPECT_THAT(uploaded_at_, ElementsAre("rank-1-now", "rank-1-then"));
}

TEST_F(DeliveryTest, UploadsAndSubmitsUnderTheLeasesOwnAttempt) {
  const v1::Lease lease = Lease(9, 3);
  held_.Add(lease.id());
  EXPECT_EQ(Deliver(lease), "accepted");
  EXPECT_EQ(uploaded_.lease().ordinal(), 9);
  EXPECT_EQ(uploaded_.lease().attempt(), 3);
  EXPECT_EQ(submitted_.lease().ordinal(), 9);
  EXPECT_EQ(submitted_.lease().attempt(), 3);
  EXPECT_EQ(submitted_.trajectory_digest(), uploaded_.digest());
  EXPECT_THAT(held_.Report(), ElementsAre(::testing::Property(&v1::LeaseId::ordinal, 7)));
}

TEST_F(DeliveryTest, TriesTheOtherServerAtOnce) {
  score_errors_ = {absl::UnavailableError("gone")};
  EXPECT_EQ(Deliver(), "accepted");
  ASSERT_EQ(scored_at_.size(), 2u);
  EXPECT_NE(scored_at_[0], scored_at_[1]);
  EXPECT_EQ(pauses_, 0);
}

TEST_F(DeliveryTest, WaitsWhileAllServersAreFull) {
  score_errors_ = {absl::ResourceExhaustedError("full"), absl::ResourceExhaustedError("full"),
                   absl::DeadlineExceededError("slow")};
  EXPECT_EQ(Deliver(), "accepted");
  EXPECT_EQ(pauses_, 1);
}

TEST_F(DeliveryTest, AsksElsewhereWhereAScorerRanOutOfTime) {
  late_answers_ = 1;
  EXPECT_EQ(Deliver(), "accepted");
  ASSERT_EQ(scored_at_.size(), 2u);
  EXPECT_NE(scored_at_[0], scored_at_[1]);
  scored_at_.clear();
  held_.Add(Lease(7).id());
  late_answers_ = 100;
  EXPECT_EQ(Deliver(), "reward_unreachable");
}

TEST_F(DeliveryTest, WaitsAsLongAsAFullServerSays) {
  v1::ErrorInfo info;
  info.set_retry_after_seconds(0.7);
  const absl::Status full = WithReason(absl::ResourceExhaustedError("full"), info);
  score_errors_ = {full, full};
  EXPECT_EQ(Deliver(), "accepted");
  EXPECT_EQ(pauses_, 1);
  EXPECT_EQ(paused_, absl::Seconds(0.7));
}

TEST_F(DeliveryTest, HandsTheLeaseBackWhenNobodyScores) {
  score_errors_.assign(20, absl::UnavailableError("gone"));
  EXPECT_EQ(Deliver(), "reward_unreachable");
  EXPECT_EQ(returned_.lease().ordinal(), 7);
  EXPECT_EQ(returned_.reason(), v1::RETURN_REWARD_UNREACHABLE);
  EXPECT_TRUE(held_.Report().empty());
}

TEST_F(DeliveryTest, AScorerThatFailsIsNotAnOutage) {
  score_errors_ = {absl::InternalError("it threw")};
  EXPECT_EQ(Deliver(), "reward_failed");
  EXPECT_EQ(returned_.reason(), v1::RETURN_REWARD_FAILED);
  EXPECT_EQ(returned_.detail(), "it threw");
}

TEST_F(DeliveryTest, ABadPromptIsTheDatasFault) {
  score_errors_ = {absl::InvalidArgumentError("no such relation")};
  EXPECT_EQ(Deliver(), "bad_prompt");
  EXPECT_EQ(returned_.reason(), v1::RETURN_BAD_PROMPT);
  EXPECT_EQ(scored_at_.size(), 1u);
}

TEST_F(DeliveryTest, WhatNoScorerWillEverScoreIsHandedBackWithItsWords) {
  unscorable_ = "knowledge: model 'm' at http://a\nanswered 401: [key]" + std::string(5000, 'x');
  EXPECT_EQ(Deliver(), "unscorable");
  EXPECT_EQ(returned_.reason(), v1::RETURN_UNSCORABLE);
  EXPECT_THAT(returned_.detail(), testing::StartsWith("knowledge: model 'm' at http://a answered 401"));
  EXPECT_LT(returned_.detail().size(), 600u);
  EXPECT_TRUE(uploaded_at_.empty());
  EXPECT_THAT(metrics_.Render(), HasSubstr("outcome=\"unscorable\""));
  EXPECT_TRUE(held_.Report().empty());
}

TEST_F(DeliveryTest, NamesTheScorerThatGroupsWaitFor) {
  late_answers_ = 100;
  std::string during;
  on_pause_ = [&] { during = troubles_.scores.text(); };
  EXPECT_EQ(Deliver(), "reward_unreachable");
  EXPECT_EQ(troubles_.scores.text(), "");  // not for long yet
  held_.Add(Lease(7).id());
  clock_.Advance(absl::Seconds(60));
  EXPECT_EQ(Deliver(), "reward_unreachable");
  for (const std::string& text : {during, troubles_.scores.text()}) {
    EXPECT_THAT(text,
                testing::MatchesRegex(
                    "scores, for 6[0-9] s now: reward server reward-[01]: scorer 'brand' TIMED_OUT: external "
                    "scorer 'brand' at http://gpu:1 did not answer"));
  }
  late_answers_ = 0;
  held_.Add(Lease(7).id());
  EXPECT_EQ(Deliver(), "accepted");
  EXPECT_EQ(troubles_.scores.text(), "");
}

TEST_F(DeliveryTest, NamesTheServerThatCannotBeReached) {
  clock_.Advance(absl::Seconds(1));
  score_errors_.assign(20, absl::UnavailableError("connection refused"));
  EXPECT_EQ(Deliver(), "reward_unreachable");
  clock_.Advance(absl::Seconds(60));
  EXPECT_THAT(troubles_.scores.text(), HasSubstr(": connection refused"));
  EXPECT_THAT(troubles_.scores.text(), HasSubstr("reward server reward-"));
}

TEST_F(DeliveryTest, RepeatsUploadsUntilTheLearnerIsBack) {
  upload_errors_ = {absl::UnavailableError("restarting"), absl::DataLossError("damaged on the way")};
  EXPECT_EQ(Deliver(), "accepted");
  EXPECT_EQ(uploaded_at_.size(), 3u);
}

TEST_F(DeliveryTest, NamesTheInboxThatTakesNothing) {
  std::string during;
  on_pause_ = [&] { during = troubles_.inbox.text(); };
  upload_errors_.assign(20, absl::ResourceExhaustedError("the spool is full"));
  EXPECT_EQ(Deliver(), "learner_unreachable");
  clock_.Advance(absl::Seconds(9));
  held_.Add(Lease(7).id());
  EXPECT_EQ(Deliver(), "learner_unreachable");
  EXPECT_THAT(during, testing::MatchesRegex("the learner's inbox, for [0-9]+ s now: .*: the spool is full"));
  EXPECT_EQ(troubles_.scores.text(), "");
  upload_errors_.clear();
  held_.Add(Lease(7).id());
  EXPECT_EQ(Deliver(), "accepted");
  EXPECT_EQ(troubles_.inbox.text(), "");
}

// The coordinator may have started again meanwhile, and the learner has heard of it.
TEST_F(DeliveryTest, UploadsWithTheNewestFence) {
  fence_.set_run_epoch(1);
  upload_errors_ = {absl::UnavailableError("another epoch")};
  on_pause_ = [this] { fence_.set_run_epoch(2); };
  EXPECT_EQ(Deliver(), "accepted");
  EXPECT_EQ(uploaded_.fence().run_epoch(), 2);
}

TEST_F(DeliveryTest, ARevokedGroupIsNotUploadedAgain) {
  upload_errors_.assign(20, absl::UnavailableError("restarting"));
  on_pause_ = [this] { held_.Revoke({Lease(7).id()}); };
  EXPECT_EQ(Deliver(), "revoked");
  EXPECT_THAT(calls_, ElementsAre("score", "upload"));
  EXPECT_FALSE(returned_.has_lease());
}

TEST_F(DeliveryTest, DropsARevokedGroupQuietly) {
  score_errors_.assign(20, absl::UnavailableError("gone"));
  held_.Report();
  on_pause_ = [this] { held_.Revoke({Lease(7).id()}); };
  EXPECT_EQ(Deliver(), "revoked");
  EXPECT_FALSE(returned_.has_lease());
}

TEST_F(DeliveryTest, ALateAnswerIsNoError) {
  answer_ = absl::FailedPreconditionError("the lease has ended");
  EXPECT_EQ(Deliver(), "lease_ended");
}

TEST_F(DeliveryTest, HandsBackAtOnceWhenDraining) {
  stopping_ = true;
  score_errors_.assign(20, absl::UnavailableError("gone"));
  EXPECT_EQ(Deliver(), "drain");
  EXPECT_EQ(returned_.reason(), v1::RETURN_DRAIN);
  EXPECT_EQ(pauses_, 0);
}

}  // namespace
}  // namespace lvrpo
