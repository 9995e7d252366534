#include "common/net/call_watch.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace lvrpo {
namespace {

TEST(CallWatch, BoundsHowManyStreamsThereAreAndHowLongTheyTake) {
  FakeClock clock;
  CallWatch watch({.most = 2, .longest = absl::Seconds(60), .silent = absl::Seconds(10), .every = {}}, clock);
  std::vector<int> cancelled;
  auto silent = watch.Begin([&] { cancelled.push_back(1); });
  auto slow = watch.Begin([&] { cancelled.push_back(2); });
  EXPECT_EQ(watch.Begin([] {}), nullptr);
  for (int i = 0; i < 7; ++i) {
    clock.Advance(absl::Seconds(9));
    slow->Heard();
    watch.CancelLate();
    watch.CancelLate();
  }
  EXPECT_THAT(cancelled, ::testing::ElementsAre(1, 2));  // each once
  silent.reset();
  EXPECT_NE(watch.Begin([] {}), nullptr);
  slow.reset();
  EXPECT_EQ(watch.CancelLate(), 0);
}

}  // namespace
}  // namespace lvrpo
