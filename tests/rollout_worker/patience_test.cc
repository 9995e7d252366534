#include "common/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rollout_worker/backoff.h"
#include "rollout_worker/held_leases.h"
#include "rollout_worker/sampling_health.h"
#include "rollout_worker/scoring_trouble.h"
#include "tests/rollout_worker/world.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;

TEST(SamplingHealth, PausesLongerAndEndsBeforeAPromptIsGivenUp) {
  SamplingHealth health;
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(health.Failed(), absl::Seconds(1));
    EXPECT_EQ(health.Failed(), absl::Seconds(2));
    EXPECT_EQ(health.Failed(), absl::Seconds(4));
    health.Sampled();
  }
  for (int i = 1; i < SamplingHealth::kMostInARow; ++i) EXPECT_TRUE(health.Failed().has_value());
  EXPECT_FALSE(health.Failed().has_value());
}

TEST(ScoringTrouble, IsSaidWhenAScorersTimeIsOverAndThenNowAndAgain) {
  FakeClock clock;
  ScoringTrouble trouble(absl::Seconds(20), clock);
  EXPECT_EQ(trouble.text(), "");
  EXPECT_EQ(trouble.Failed("scorer 'a' OVERLOADED"), "");
  clock.Advance(absl::Seconds(19));
  EXPECT_EQ(trouble.Failed("scorer 'a' OVERLOADED"), "");
  EXPECT_EQ(trouble.text(), "");
  clock.Advance(absl::Seconds(2));
  EXPECT_EQ(trouble.text(), "scores, for 21 s now: scorer 'a' OVERLOADED");
  EXPECT_EQ(trouble.Failed("scorer 'b' TIMED_OUT"), "scores, for 21 s now: scorer 'b' TIMED_OUT");
  clock.Advance(absl::Seconds(10));
  EXPECT_EQ(trouble.Failed("scorer 'b' TIMED_OUT"), "");  // said a moment ago
  EXPECT_EQ(trouble.text(), "scores, for 31 s now: scorer 'b' TIMED_OUT");
  clock.Advance(absl::Seconds(20));
  EXPECT_EQ(trouble.Failed("x"), "scores, for 51 s now: x");
  trouble.End();
  EXPECT_EQ(trouble.text(), "");
  EXPECT_EQ(trouble.Failed("x"), "");
  clock.Advance(absl::Seconds(25));
  EXPECT_EQ(trouble.Failed("x"), "scores, for 25 s now: x");
}

TEST(HeldLeases, TellAttemptsOfAnOrdinalApart) {
  HeldLeases held;
  held.Add(Lease(7, 0));
  held.Add(Lease(8, 0));
  EXPECT_THAT(held.Report(), ElementsAre(7, 8));
  held.Add(Lease(7, 1));  // the coordinator planned it again, and gave it to us
  EXPECT_TRUE(held.IsRevoked(Lease(7, 0)));
  EXPECT_FALSE(held.IsRevoked(Lease(7, 1)));
  held.Remove(Lease(7, 0));  // the end of the first says nothing about the second
  EXPECT_THAT(held.Report(), ElementsAre(7, 8));
}

TEST(HeldLeases, AnAnswerMeansWhatWasReported) {
  HeldLeases held;
  held.Add(Lease(7, 0));
  EXPECT_THAT(held.Report(), ElementsAre(7));
  held.Remove(Lease(7, 0));
  held.Add(Lease(7, 1));  // before the answer came
  held.Revoke({7});
  EXPECT_FALSE(held.IsRevoked(Lease(7, 1)));
  EXPECT_THAT(held.Report(), ElementsAre(7));
  held.Revoke({7, 9});
  EXPECT_TRUE(held.IsRevoked(Lease(7, 1)));
  EXPECT_TRUE(held.Report().empty());
}

TEST(Backoff, PausesLongerEachTimeUntilAGroupComesHome) {
  FakeClock clock;
  Backoff backoff(clock);
  EXPECT_EQ(backoff.Left(), absl::ZeroDuration());
  for (const int seconds : {1, 2, 4, 8, 16, 30, 30}) {
    backoff.Note("learner_unreachable");
    EXPECT_EQ(backoff.Left(), absl::Seconds(seconds));
    clock.Advance(absl::Seconds(seconds));
    EXPECT_EQ(backoff.Left(), absl::ZeroDuration());
  }
  for (const char* neutral : {"revoked", "lease_ended", "drain"}) backoff.Note(neutral);
  backoff.Note("unscorable: HTTP 401");
  EXPECT_EQ(backoff.Left(), absl::Seconds(30));
  EXPECT_EQ(backoff.reason(), "unscorable: HTTP 401");
  for (const char* home : {"accepted", "zero_variance", "bad_prompt"}) {
    backoff.Note(home);
    EXPECT_EQ(backoff.Left(), absl::ZeroDuration());
    backoff.Note("reward_unreachable");
    EXPECT_EQ(backoff.Left(), absl::Seconds(1));
  }
}

}  // namespace
}  // namespace lvrpo
