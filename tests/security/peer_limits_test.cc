#include "common/net/peer_limits.h"

#include "common/net/denials.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;

PeerLimits::Options Small() {
  PeerLimits::Options options;
  options.at_once = 2;
  options.per_second = 10;
  options.burst = 5;
  options.peers = 2;
  return options;
}

TEST(PeerLimits, BoundCallsAtOnceOfEachPeerAlone) {
  FakeClock clock;
  PeerLimits limits(Small(), clock);
  auto first = limits.Begin("a"), second = limits.Begin("a");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(limits.Begin("a").status(), absl::ResourceExhaustedError("more than 2 calls at once"));
  EXPECT_TRUE(limits.Begin("b").ok());
  first->reset();
  EXPECT_TRUE(limits.Begin("a").ok());
}

TEST(PeerLimits, BoundCallsASecondAfterABurst) {
  FakeClock clock;
  PeerLimits limits(Small(), clock);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limits.Begin("a").ok()) << i;
  EXPECT_EQ(limits.Begin("a").status(), absl::ResourceExhaustedError("more than 10 calls a second"));
  clock.Advance(absl::Milliseconds(100));
  EXPECT_TRUE(limits.Begin("a").ok());
  EXPECT_FALSE(limits.Begin("a").ok());
  clock.Advance(absl::Hours(1));
  int served = 0;
  while (limits.Begin("a").ok()) ++served;
  EXPECT_EQ(served, 5);
}

TEST(PeerLimits, RememberOnlyPeersThatDoSomething) {
  FakeClock clock;
  PeerLimits limits(Small(), clock);
  const auto running = limits.Begin("a");
  EXPECT_TRUE(limits.Begin("b").ok());
  EXPECT_EQ(limits.Begin("c").status(), absl::ResourceExhaustedError("too many peers at once"));
  clock.Advance(absl::Seconds(1));
  EXPECT_TRUE(limits.Begin("c").ok());  // b is forgotten, a is not
  EXPECT_FALSE(limits.Begin("d").ok());
}

TEST(Denials, CountAllAndLogSome) {
  FakeClock clock;
  int counted = 0;
  std::vector<std::string> lines;
  Denials denials([&](const std::string&, const std::string&) { ++counted; },
                  [&](const std::string& line) { lines.push_back(line); }, clock);
  for (int i = 0; i < 4; ++i) denials.Note("Coordinator/Drain", "not_allowed", "10.0.0.7 (rollout): no");
  denials.Note("", "expired", "its certificate expired");
  clock.Advance(absl::Seconds(11));
  denials.Note("Coordinator/Drain", "not_allowed", "10.0.0.8 (rollout): no");
  EXPECT_EQ(counted, 6);
  EXPECT_THAT(lines,
              ElementsAre("refused Coordinator/Drain: 10.0.0.7 (rollout): no",
                          "refused a connection: its certificate expired",
                          "refused Coordinator/Drain: 10.0.0.8 (rollout): no (and 3 times more since the "
                          "last such line)"));
}

}  // namespace
}  // namespace lvrpo
