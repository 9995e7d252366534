#include "reward_server/scoring_queue.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

// A queue whose first request is computed until Open() is called, so that the others wait behind it.
class QueueTest : public ::testing::Test {
 protected:
  void Open() {
    if (!open_.HasBeenNotified()) open_.Notify();
  }
  void StartQueue(size_t limit) {
    queue_ = std::make_unique<ScoringQueue>(
        [this](const ScoringBatch& batch) {
          computed_.push_back(batch.prompt.id());  // read by the test after the answers
          if (!started_.HasBeenNotified()) started_.Notify();
          open_.WaitForNotification();
          v1::ScoreResponse response;
          response.add_items()->add_scores()->set_name(batch.prompt.id());
          return response;
        },
        limit, clock_);
  }

  static ScoringBatch Batch(const std::string& id) {
    ScoringBatch batch;
    batch.prompt.set_id(id);
    return batch;
  }
  absl::StatusOr<v1::ScoreResponse> Score(const std::string& id) {
    return queue_->Score(Batch(id), absl::InfiniteFuture());
  }

  // Somebody who waits for an answer. Made when the request is in the queue, the first when it is computed.
  class Caller {
   public:
    Caller(QueueTest& test, const std::string& id, absl::Time deadline = absl::InfiniteFuture())
        : test_(test),
          thread_([&test, id, deadline, this] { answer_ = test.queue_->Score(Batch(id), deadline); }) {
      ++test.callers_;
      while (test.queue_->load() < test.callers_) std::this_thread::yield();
      test.started_.WaitForNotification();
    }
    const absl::StatusOr<v1::ScoreResponse>& Answer() {
      if (thread_.joinable()) thread_.join();
      return answer_;
    }
    ~Caller() {
      test_.Open();
      (void)Answer();
    }

   private:
    QueueTest& test_;
    absl::StatusOr<v1::ScoreResponse> answer_;
    std::thread thread_;
  };

  FakeClock clock_;
  absl::Notification started_, open_;
  std::vector<std::string> computed_;
  size_t callers_ = 0;
  std::unique_ptr<ScoringQueue> queue_;
};

TEST_F(QueueTest, AnswersInTheOrderTheyCame) {
  StartQueue(10);
  Caller a(*this, "a"), b(*this, "b"), c(*this, "c"), d(*this, "d");
  Open();
  for (const auto& [caller, id] : {std::pair{&a, "a"}, {&b, "b"}, {&c, "c"}, {&d, "d"}}) {
    ASSERT_TRUE(caller->Answer().ok()) << caller->Answer().status();
    EXPECT_EQ(caller->Answer()->items(0).scores(0).name(), id);
  }
  EXPECT_EQ(computed_, (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(QueueTest, RefusesBeyondItsLimitAndTakesRequestsAgainAfterwards) {
  StartQueue(2);
  Caller a(*this, "a");
  // Once `a` is computed it does not wait any more: two others may.
  Caller b(*this, "b"), c(*this, "c");
  const absl::Status refused = Score("d").status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  Open();
  EXPECT_TRUE(a.Answer().ok() && b.Answer().ok() && c.Answer().ok());
  EXPECT_TRUE(Score("e").ok());
  EXPECT_EQ(computed_, (std::vector<std::string>{"a", "b", "c", "e"}));
}

TEST_F(QueueTest, ARequestWhoseDeadlinePassedIsAnsweredButNotComputed) {
  StartQueue(10);
  Caller a(*this, "a", clock_.Now() + absl::Seconds(1));
  Caller late(*this, "late", clock_.Now() + absl::Seconds(1));
  Caller patient(*this, "patient", clock_.Now() + absl::Seconds(3));
  clock_.Advance(absl::Seconds(2));
  Open();
  EXPECT_TRUE(a.Answer().ok());  // its computation had begun
  EXPECT_EQ(late.Answer().status().code(), absl::StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(patient.Answer().ok());
  EXPECT_EQ(patient.Answer()->queue_seconds(), 2);
  EXPECT_EQ(patient.Answer()->compute_seconds(), 0);
  EXPECT_EQ(computed_, (std::vector<std::string>{"a", "patient"}));
}

TEST_F(QueueTest, DrainingAnswersWhatIsQueuedAndRefusesTheRest) {
  StartQueue(1);
  Caller a(*this, "a"), b(*this, "b");
  std::thread drain([this] { queue_->Drain(); });
  // Full until it drains.
  absl::Status refused = Score("c").status();
  while (absl::IsResourceExhausted(refused)) {
    std::this_thread::yield();
    refused = Score("c").status();
  }
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable) << refused;
  EXPECT_EQ(queue_->load(), 2u);
  Open();
  drain.join();
  EXPECT_EQ(queue_->load(), 0u);
  EXPECT_TRUE(a.Answer().ok());
  EXPECT_TRUE(b.Answer().ok());
  EXPECT_TRUE(absl::IsUnavailable(Score("d").status()));
  EXPECT_EQ(computed_, (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace lvrpo
