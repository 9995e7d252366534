#include "collectives/measured.h"

#include <thread>

#include "collectives/in_process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(Measured, CountsOperationsBytesAndFailures) {
  Metrics metrics;
  const std::unique_ptr<Collectives> alone =
      Measured(std::move(MakeInProcess(1, absl::Seconds(30))[0]), metrics, RealClock());
  EXPECT_EQ(alone->rank(), 0);
  EXPECT_EQ(alone->size(), 1);
  EXPECT_EQ(alone->name(), "in_process");
  float one = 1, all = 0;
  double sum = 2;
  EXPECT_TRUE(alone->AllGather({&one, 1, Element::kFloat32}, {&all, 1, Element::kFloat32})->Wait().ok());
  EXPECT_EQ(all, 1);
  const std::unique_ptr<Pending> pending = alone->AllReduce({&sum, 1, Element::kFloat64}, Reduction::kSum);
  EXPECT_TRUE(pending->Wait().ok());
  EXPECT_TRUE(pending->Wait().ok());
  EXPECT_TRUE(alone->Barrier().ok());
  alone->Abort("enough");
  EXPECT_TRUE(absl::IsAborted(alone->Broadcast({&sum, 1, Element::kFloat64}, 0)->Wait()));
  const std::string text = metrics.Render();
  EXPECT_THAT(text, HasSubstr("lvrpo_learner_collective_bytes_total{operation=\"all_gather\"} 4"));
  EXPECT_THAT(text, HasSubstr("lvrpo_learner_collective_seconds_count{operation=\"all_reduce\"} 1"));
  EXPECT_THAT(text, HasSubstr("lvrpo_learner_collective_seconds_count{operation=\"barrier\"} 1"));
  EXPECT_THAT(text, HasSubstr("lvrpo_learner_collective_failures_total{operation=\"broadcast\"} 1"));
  EXPECT_THAT(text, HasSubstr("lvrpo_learner_collective_failures_total{operation=\"all_reduce\"} 0"));
}

// What the rank reports that waits for a late one.
TEST(Measured, TellsForHowLongARankIsBlocked) {
  Metrics metrics;
  FakeClock clock;
  BlockedSince blocked;
  std::vector<std::unique_ptr<Collectives>> ranks = MakeInProcess(2, absl::Seconds(30));
  const auto late = std::move(ranks[1]);
  const auto rank = Measured(std::move(ranks[0]), metrics, clock, &blocked);
  EXPECT_EQ(blocked.Lasted(clock.Now()), absl::ZeroDuration());
  std::thread waits([&] { EXPECT_TRUE(rank->Barrier().ok()); });
  const absl::Time later = clock.Now() + absl::Seconds(4);
  while (blocked.Lasted(later) == absl::ZeroDuration()) std::this_thread::yield();
  EXPECT_EQ(blocked.Lasted(later), absl::Seconds(4));
  EXPECT_TRUE(late->Barrier().ok());
  waits.join();
  EXPECT_EQ(blocked.Lasted(later), absl::ZeroDuration());
}

}  // namespace
}  // namespace lvrpo
