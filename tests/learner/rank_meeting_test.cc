#include "learner/ranks/rank_meeting.h"

#include <deque>
#include <vector>

#include "absl/synchronization/notification.h"
#include "collectives/in_process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::PoolView ViewOf(const std::string& id, int ranks, bool complete = true) {
  v1::PoolView view;
  v1::LearnerEpoch& epoch = *view.mutable_learner_epoch();
  epoch.set_id(id);
  epoch.set_ranks(ranks);
  epoch.set_complete(complete);
  v1::LearnerRank& rank = *epoch.add_present();
  rank.set_process(id);
  return view;
}

// Rank 0 of a learner, to whom the coordinator says one view after the other.
class RankMeetingTest : public ::testing::Test {
 protected:
  absl::StatusOr<JoinedEpoch> Meet() {
    const RankTransport transport = {
        .open = nullptr,
        .connect = [this](const v1::LearnerEpoch& epoch,
                          int rank) -> absl::StatusOr<std::unique_ptr<Collectives>> {
          EXPECT_EQ(rank, 0);
          connected_.push_back(epoch.id());
          if (!errors_.empty()) {
            const absl::Status error = errors_.front();
            errors_.pop_front();
            if (views_.size() > 1) views_.pop_front();  // that took a while
            return error;
          }
          return std::move(MakeInProcess(epoch.ranks(), absl::Seconds(1))[0]);
        }};
    return MeetRanks(0, transport,
                     {.view = [this] { return views_.front(); },
                      .lost = [this] { return lost_; },
                      .stop = [this] { return stop_; }},
                     {.clock = &clock_, .sleep = [this](absl::Duration) {
                        if (views_.size() > 1) {
                          views_.pop_front();
                        } else {
                          stop_ = true;
                        }
                      }});
  }

  FakeClock clock_;
  std::deque<v1::PoolView> views_;
  std::deque<absl::Status> errors_;
  absl::Status lost_;
  bool stop_ = false;
  std::vector<std::string> connected_;
};

TEST_F(RankMeetingTest, OneRankMeetsNobody) {
  views_ = {ViewOf("E", 1)};
  const absl::StatusOr<JoinedEpoch> joined = Meet();
  ASSERT_TRUE(joined.ok());
  EXPECT_EQ(joined->epoch.id(), "E");
  EXPECT_EQ(joined->collectives, nullptr);
  EXPECT_TRUE(connected_.empty());
}

TEST_F(RankMeetingTest, WaitsForAllAndConnects) {
  views_ = {v1::PoolView(), ViewOf("", 2, false), ViewOf("E", 2, false), ViewOf("E", 2)};
  const absl::StatusOr<JoinedEpoch> joined = Meet();
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->collectives->size(), 2);
  EXPECT_THAT(connected_, ElementsAre("E"));
}

TEST_F(RankMeetingTest, WhenRanksChangeItMeetsTheNewOnes) {
  views_ = {ViewOf("E", 2), ViewOf("", 2, false), ViewOf("F", 2)};
  errors_ = {absl::UnavailableError("rank 1 is gone")};
  const absl::StatusOr<JoinedEpoch> joined = Meet();
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_EQ(joined->epoch.id(), "F");
  EXPECT_THAT(connected_, ElementsAre("E", "F"));
}

TEST_F(RankMeetingTest, StartsAgainWhenTheSameRanksCannotBeConnected) {
  views_ = {ViewOf("E", 2)};
  errors_ = {absl::DeadlineExceededError("rank 1 did not come")};
  const absl::Status status = Meet().status();
  EXPECT_TRUE(absl::IsAborted(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("rank 1 did not come"));
}

TEST_F(RankMeetingTest, EndsWhenItIsToStop) {
  views_ = {ViewOf("", 2, false)};
  EXPECT_TRUE(absl::IsCancelled(Meet().status()));
  stop_ = false;
  views_.front().set_draining(true);
  EXPECT_TRUE(absl::IsCancelled(Meet().status()));
  views_.front().set_draining(false);
  views_.front().set_finished(true);  // the other ranks have left
  EXPECT_TRUE(absl::IsCancelled(Meet().status()));
  lost_ = absl::FailedPreconditionError("superseded");
  EXPECT_EQ(Meet().status(), lost_);
}

TEST(EpochWatch, SpeaksOnceWhenTheEpochIsOver) {
  absl::Mutex mutex;
  v1::PoolView view = ViewOf("E", 1);
  int64_t count = 0, over = 0;
  absl::Notification told;
  {
    EpochWatch watch(view.learner_epoch(), {.next_view =
                                                [&](int64_t seen) {
                                                  absl::MutexLock lock(&mutex);
                                                  const auto changed = [&] { return count != seen; };
                                                  mutex.AwaitWithTimeout(absl::Condition(&changed),
                                                                         absl::Milliseconds(10));
                                                  return count;
                                                },
                                            .view =
                                                [&] {
                                                  absl::MutexLock lock(&mutex);
                                                  return view;
                                                },
                                            .over =
                                                [&](const absl::Status& why) {
                                                  EXPECT_TRUE(absl::IsAborted(why));
                                                  ++over;
                                                  told.Notify();
                                                }});
    const auto say = [&](const v1::PoolView& next) {
      absl::MutexLock lock(&mutex);
      view = next;
      ++count;
    };
    say(v1::PoolView());  // the coordinator has restarted
    say(ViewOf("F", 1));
    EXPECT_TRUE(told.WaitForNotificationWithTimeout(absl::Seconds(20)));
  }
  EXPECT_EQ(over, 1);
  {
    EpochWatch quiet(ViewOf("E", 1).learner_epoch(), {.next_view = [](int64_t seen) { return seen; },
                                                      .view = [] { return ViewOf("E", 1); },
                                                      .over = [](const absl::Status&) { FAIL(); }});
  }
}

}  // namespace
}  // namespace lvrpo
