#include "common/stopwatch.h"

#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace lvrpo {
namespace {

TEST(Stopwatch, MeasuresLapsOfItsClock) {
  FakeClock clock;
  Stopwatch watch(clock);
  EXPECT_EQ(watch.Seconds(), 0);
  clock.Advance(absl::Seconds(2));
  EXPECT_EQ(watch.Seconds(), 2);
  EXPECT_EQ(watch.Lap(), 2);
  clock.Advance(absl::Seconds(0.5));
  EXPECT_EQ(watch.Seconds(), 0.5);
  EXPECT_EQ(watch.Lap(), 0.5);
  EXPECT_EQ(watch.Lap(), 0);
}

}  // namespace
}  // namespace lvrpo
