// Worker with a script around it and a clock that only its waits move.

#include "rollout_worker/worker.h"

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/words/words.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/messages.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class WorkerTest : public ::testing::Test {
 protected:
  WorkerTest() {
    policy_ = ReadyPolicy{Version(4, "d"), [this](const v1::Lease& lease) { return Sample(lease); }};
  }
  // One answer of the coordinator a lease call; when there is none any more, the worker leaves.
  void Grant(int64_t ordinal) {
    v1::LeaseGroupResponse response;
    response.set_granted(true);
    *response.mutable_lease() = Lease(ordinal);
    answers_.push_back(response);
  }
  void Refuse(const std::string& waiting_for, double seconds) {
    v1::LeaseGroupResponse response;
    response.set_waiting_for(waiting_for);
    response.set_retry_after_seconds(seconds);
    answers_.push_back(response);
  }
  std::vector<int64_t> HeldOrdinals() {
    std::vector<int64_t> ordinals;
    for (const v1::LeaseId& lease : held_.Report()) ordinals.push_back(lease.ordinal());
    return ordinals;
  }
  absl::StatusOr<GeneratedGroup> Sample(const v1::Lease& lease) {
    said_.push_back(worker_.waiting_for());
    sampled_.push_back(lease.id().ordinal());
    EXPECT_THAT(HeldOrdinals(), ::testing::Contains(lease.id().ordinal()));
    if (!sample_errors_.empty()) {
      const absl::Status error = sample_errors_.front();
      sample_errors_.pop_front();
      if (!error.ok()) return error;
    }
    GeneratedGroup group;
    group.lease = lease;
    for (int slot = 0; slot < lease.group_size(); ++slot) group.trajectory.add_samples();
    group.trajectory.mutable_prompt()->set_task(v1::TASK_KIND_IMAGE);
    return group;
  }
  Worker::Calls Calls() {
    return {.leaving = [this] { return leaving_ || answers_.empty(); },
            .policy = [this]() -> std::optional<ReadyPolicy> {
              if (without_policy_ == 0) return policy_;
              --without_policy_;
              return std::nullopt;
            },
            .policy_trouble = [this] { return policy_trouble_; },
            .lease = [this](const v1::LeaseGroupRequest& request) -> absl::StatusOr<v1::LeaseGroupResponse> {
              EXPECT_EQ(request.version().number(), 4);
              EXPECT_EQ(request.version().digest(), "d");
              const absl::StatusOr<v1::LeaseGroupResponse> answer = answers_.front();
              answers_.pop_front();
              return answer;
            },
            .return_lease =
                [this](const v1::Lease& lease, v1::ReturnReason reason, const std::string&) {
                  returned_.push_back(absl::StrCat(lease.id().ordinal(), " ", Word(reason)));
                },
            .hand_over =
                [this](GeneratedGroup group) {
                  said_.push_back(worker_.waiting_for());
                  handed_over_.push_back(group.lease.id().ordinal());
                  if (on_hand_over_) on_hand_over_();
                },
            .sleep =
                [this](absl::Duration duration) {
                  slept_ += duration;
                  clock_.Advance(duration);
                  said_.push_back(worker_.waiting_for());
                }};
  }

  FakeClock clock_;
  HeldLeases held_;
  Backoff backoff_{clock_};
  Metrics metrics_;
  bool leaving_ = false;
  std::optional<ReadyPolicy> policy_;
  int without_policy_ = 0;
  std::string policy_trouble_;
  std::deque<absl::StatusOr<v1::LeaseGroupResponse>> answers_;
  std::deque<absl::Status> sample_errors_;
  std::vector<int64_t> sampled_, handed_over_;
  std::vector<std::string> returned_, said_;  // said: waiting_for() at each call
  absl::Duration slept_;
  std::function<void()> on_hand_over_;
  Worker worker_{Calls(), held_, backoff_, clock_, metrics_};
};

TEST_F(WorkerTest, SamplesWhatIsLeasedAndHandsItOver) {
  EXPECT_EQ(worker_.waiting_for(), "starting");
  for (const int64_t ordinal : {3, 5}) Grant(ordinal);
  EXPECT_TRUE(worker_.Run().ok());
  EXPECT_THAT(sampled_, ElementsAre(3, 5));
  EXPECT_THAT(handed_over_, ElementsAre(3, 5));
  EXPECT_THAT(returned_, IsEmpty());
  EXPECT_THAT(HeldOrdinals(), ElementsAre(3, 5));  // until they are delivered
  EXPECT_THAT(said_, ElementsAre("", "delivery of the last group", "", "delivery of the last group"));
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_rollout_images_total 8"));
  EXPECT_EQ(slept_, absl::ZeroDuration());
}

TEST_F(WorkerTest, LeasesNothingBeforeItsWeightsAreAcknowledged) {
  without_policy_ = 3;
  policy_trouble_ = "nobody offers these weights yet";
  Grant(3);
  EXPECT_TRUE(worker_.Run().ok());
  EXPECT_THAT(handed_over_, ElementsAre(3));
  EXPECT_EQ(said_[0], "the current weights: nobody offers these weights yet");
  EXPECT_EQ(slept_, 3 * absl::Milliseconds(5));
}

TEST_F(WorkerTest, WaitsAsLongAsTheCoordinatorSaysWithinBounds) {
  Refuse("a learner", 0.5);
  Refuse("a learner", 100);
  Refuse("a learner", 0);
  Grant(3);
  EXPECT_TRUE(worker_.Run().ok());
  EXPECT_EQ(said_[0], "a learner");
  EXPECT_EQ(slept_, absl::Seconds(0.5) + absl::Seconds(1) + absl::Seconds(0.01));
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_rollout_wait_seconds_total 1.5"));
  EXPECT_THAT(handed_over_, ElementsAre(3));
}

TEST_F(WorkerTest, AsksAgainAfterALeaseCallThatFailed) {
  answers_.push_back(absl::UnavailableError("the coordinator waits for its disk"));
  Grant(3);
  EXPECT_TRUE(worker_.Run().ok());
  EXPECT_THAT(handed_over_, ElementsAre(3));
  EXPECT_EQ(slept_, absl::Milliseconds(200));
}

TEST_F(WorkerTest, ReturnsAPromptThatNobodyCanSampleAndGoesOnAtOnce) {
  for (const int64_t ordinal : {3, 4, 5, 6, 7, 8}) Grant(ordinal);
  sample_errors_.assign(5, absl::InvalidArgumentError("too long"));
  EXPECT_TRUE(worker_.Run().ok());
  EXPECT_THAT(returned_,
              ElementsAre("3 bad_prompt", "4 bad_prompt", "5 bad_prompt", "6 bad_prompt", "7 bad_prompt"));
  EXPECT_THAT(handed_over_, ElementsAre(8));
  EXPECT_THAT(HeldOrdinals(), ElementsAre(8));
  EXPECT_EQ(slept_, absl::ZeroDuration());
}

TEST_F(WorkerTest, PausesLongerEachTimeItCannotSampleAndEndsAtLast) {
  for (const int64_t ordinal : {3, 4, 5, 6, 7, 8, 9}) Grant(ordinal);
  const absl::Status memory = absl::ResourceExhaustedError("no memory left\nat all");
  sample_errors_ = {memory, absl::OkStatus(), memory, memory, memory, memory};
  const absl::Status unwell = worker_.Run();
  EXPECT_TRUE(absl::IsAborted(unwell)) << unwell;
  EXPECT_THAT(std::string(unwell.message()), HasSubstr("no memory left"));
  EXPECT_THAT(handed_over_, ElementsAre(4));
  EXPECT_THAT(returned_, ElementsAre("3 worker_failed", "5 worker_failed", "6 worker_failed",
                                     "7 worker_failed", "8 worker_failed"));
  EXPECT_EQ(slept_, absl::Seconds(1) + absl::Seconds(1 + 2 + 4));
  EXPECT_THAT(said_, ::testing::Contains("itself: it could not sample: no memory left at all"));
  EXPECT_EQ(answers_.size(), 1u);  // it leased nothing more
}

TEST_F(WorkerTest, ATroubledWorkerThatIsToldToLeaveDoesNotPauseToTheEnd) {
  Grant(3);  // the last answer: it is leaving once that is taken
  sample_errors_ = {absl::InternalError("it threw")};
  EXPECT_TRUE(worker_.Run().ok());
  EXPECT_THAT(returned_, ElementsAre("3 worker_failed"));
  EXPECT_EQ(slept_, absl::ZeroDuration());
}

TEST_F(WorkerTest, RestsAfterGroupsThatCameToNothing) {
  for (const int64_t ordinal : {3, 4}) Grant(ordinal);
  on_hand_over_ = [this] { backoff_.Note("learner_unreachable"); };
  EXPECT_TRUE(worker_.Run().ok());
  EXPECT_THAT(handed_over_, ElementsAre(3, 4));
  EXPECT_EQ(slept_, absl::Seconds(1));  // between the two
  EXPECT_THAT(said_, ::testing::Contains("a while, because its groups came to nothing: learner_unreachable"));
}

TEST_F(WorkerTest, LeasesNothingOnceItLeaves) {
  Grant(3);
  leaving_ = true;
  EXPECT_TRUE(worker_.Run().ok());
  EXPECT_THAT(sampled_, IsEmpty());
  EXPECT_EQ(answers_.size(), 1u);
}

}  // namespace
}  // namespace lvrpo
