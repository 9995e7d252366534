#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rollout_worker/backoff.h"
#include "rollout_worker/held_leases.h"
#include "rollout_worker/lasting_trouble.h"
#include "rollout_worker/sampling_health.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/messages.h"

namespace lvrpo {
namespace {

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

TEST(LastingTrouble, IsSaidWhenPatienceIsOverAndThenNowAndAgain) {
  FakeClock clock;
  LastingTrouble trouble("scores", absl::Seconds(20), clock);
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
  clock.Advance(absl::Seconds(61));  // nothing was tried since
  EXPECT_EQ(trouble.text(), "");
}

// "7.0 8.1": ordinal and attempt of each.
std::string InWords(const std::vector<v1::LeaseId>& leases) {
  return absl::StrJoin(leases, " ", [](std::string* out, const v1::LeaseId& lease) {
    absl::StrAppend(out, lease.ordinal(), ".", lease.attempt());
  });
}

TEST(HeldLeases, TellAttemptsOfAnOrdinalApart) {
  const v1::LeaseId first = Lease(7, 0).id(), second = Lease(7, 1).id(), other = Lease(8, 0).id();
  HeldLeases held;
  held.Add(first);
  held.Add(other);
  EXPECT_EQ(InWords(held.Report()), "7.0 8.0");
  held.Add(second);  // the coordinator planned it again, and gave it to us
  EXPECT_TRUE(held.IsRevoked(first));
  EXPECT_FALSE(held.IsRevoked(second));
  held.Remove(first);  // the end of the first says nothing about the second
  EXPECT_EQ(InWords(held.Report()), "7.1 8.0");
}

TEST(HeldLeases, AnAnswerMeansWhatWasReported) {
  const v1::LeaseId first = Lease(7, 0).id(), second = Lease(7, 1).id();
  HeldLeases held;
  held.Add(first);
  held.Remove(first);
  held.Add(second);  // before the answer came
  held.Revoke({first});
  EXPECT_FALSE(held.IsRevoked(second));
  EXPECT_EQ(InWords(held.Report()), "7.1");
  held.Revoke({second, Lease(9).id()});
  EXPECT_TRUE(held.IsRevoked(second));
  EXPECT_FALSE(held.IsRevoked(Lease(9).id()));  // never held
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
  backoff.Note("unscorable");
  EXPECT_EQ(backoff.Left(), absl::Seconds(30));
  EXPECT_EQ(backoff.reason(), "unscorable");
  for (const char* home : {"accepted", "zero_variance", "bad_prompt"}) {
    backoff.Note(home);
    EXPECT_EQ(backoff.Left(), absl::ZeroDuration());
    backoff.Note("reward_unreachable");
    EXPECT_EQ(backoff.Left(), absl::Seconds(1));
  }
}

}  // namespace
}  // namespace lvrpo
