#include "common/net/retry.h"

#include <cmath>
#include <set>

#include "common/net/rpc.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kPlenty = absl::Hours(1);

absl::Status Busy(double retry_after_seconds) {
  v1::ErrorInfo info;
  info.set_retry_after_seconds(retry_after_seconds);
  return WithReason(absl::ResourceExhaustedError("busy"), info);
}

TEST(WaitBeforeRetry, RepeatsOnlyWhatMaySucceedThen) {
  struct Case {
    absl::Status failure;
    bool repeated;
  };
  const Case cases[] = {
      {absl::OkStatus(), false},
      {absl::UnavailableError(""), true},
      {absl::ResourceExhaustedError(""), true},
      {absl::DeadlineExceededError(""), false},
      {absl::InvalidArgumentError(""), false},
      {absl::FailedPreconditionError(""), false},
      {absl::InternalError(""), false},
      {absl::UnknownError(""), false},
      {absl::UnauthenticatedError(""), false},
      {absl::CancelledError(""), false},
  };
  for (const Case& c : cases)
    EXPECT_EQ(WaitBeforeRetry({}, c.failure, 1, kPlenty, 0).has_value(), c.repeated) << c.failure;
}

TEST(WaitBeforeRetry, StopsAfterSoManyRetries) {
  const RetryPolicy policy = {.retries = 2};
  EXPECT_TRUE(WaitBeforeRetry(policy, absl::UnavailableError(""), 2, kPlenty, 0).has_value());
  EXPECT_FALSE(WaitBeforeRetry(policy, absl::UnavailableError(""), 3, kPlenty, 0).has_value());
  EXPECT_FALSE(WaitBeforeRetry({.retries = 0}, absl::UnavailableError(""), 1, kPlenty, 0).has_value());
}

TEST(WaitBeforeRetry, DoublesUpToTheLongestWaitLessUpToAHalf) {
  const RetryPolicy policy = {
      .retries = kRetryUntilDeadline, .first_wait = absl::Seconds(1), .longest_wait = absl::Seconds(10)};
  const double whole[] = {1, 2, 4, 8, 10, 10};
  for (int tries = 1; tries <= 6; ++tries) {
    for (uint64_t seed = 0; seed < 50; ++seed) {
      const auto wait = WaitBeforeRetry(policy, absl::UnavailableError(""), tries, kPlenty, seed);
      ASSERT_TRUE(wait.has_value());
      EXPECT_GE(*wait, absl::Seconds(whole[tries - 1] / 2));
      EXPECT_LE(*wait, absl::Seconds(whole[tries - 1]));
    }
  }
  EXPECT_TRUE(WaitBeforeRetry(policy, absl::UnavailableError(""), 1 << 29, kPlenty, 0).has_value());
}

TEST(WaitBeforeRetry, DiffersBySeedAndIsTheSameForTheSame) {
  std::set<absl::Duration> waits;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const auto wait = WaitBeforeRetry({}, absl::UnavailableError(""), 1, kPlenty, seed);
    EXPECT_EQ(wait, WaitBeforeRetry({}, absl::UnavailableError(""), 1, kPlenty, seed));
    waits.insert(*wait);
  }
  EXPECT_GT(waits.size(), 95u);
}

TEST(WaitBeforeRetry, HonoursWhatTheServerAsksForUnlessItIsTooLong) {
  EXPECT_EQ(WaitBeforeRetry({}, Busy(7), 1, kPlenty, 0), absl::Seconds(7));
  EXPECT_LE(*WaitBeforeRetry({}, Busy(0), 1, kPlenty, 0), RetryPolicy().first_wait);
  EXPECT_FALSE(WaitBeforeRetry({}, Busy(11), 1, kPlenty, 0).has_value());
  // From a server that writes what it likes.
  EXPECT_TRUE(WaitBeforeRetry({}, Busy(-5), 1, kPlenty, 0).has_value());
  EXPECT_FALSE(WaitBeforeRetry({}, Busy(INFINITY), 1, kPlenty, 0).has_value());
  for (const double odd : {std::nan(""), 1e300, -1e300}) {
    const auto wait = WaitBeforeRetry({}, Busy(odd), 1, kPlenty, 0);
    EXPECT_TRUE(!wait.has_value() || (*wait >= absl::ZeroDuration() && *wait <= absl::Seconds(10)));
  }
}

TEST(WaitBeforeRetry, DoesNotWaitBeyondTheTimeThatIsLeft) {
  EXPECT_FALSE(WaitBeforeRetry({}, Busy(7), 1, absl::Seconds(7), 0).has_value());
  EXPECT_TRUE(WaitBeforeRetry({}, Busy(7), 1, absl::Seconds(7.1), 0).has_value());
  EXPECT_FALSE(WaitBeforeRetry({}, absl::UnavailableError(""), 1, -absl::Seconds(1), 0).has_value());
}

TEST(DoubledWait, DoublesUpToTheLongest) {
  const auto wait = [](int tries) { return DoubledWait(absl::Seconds(1), absl::Seconds(30), tries); };
  EXPECT_EQ(wait(1), absl::Seconds(1));
  EXPECT_EQ(wait(2), absl::Seconds(2));
  EXPECT_EQ(wait(5), absl::Seconds(16));
  EXPECT_EQ(wait(6), absl::Seconds(30));
  EXPECT_EQ(wait(1 << 30), absl::Seconds(30));
}

TEST(NextWait, IsWhatTheServerAsksForUpToTheLongest) {
  const RetryPolicy policy = {.first_wait = absl::Seconds(1), .longest_wait = absl::Seconds(2)};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const absl::Duration wait = NextWait(policy, 1, absl::ZeroDuration(), seed);
    EXPECT_GE(wait, absl::Seconds(.5));
    EXPECT_LE(wait, absl::Seconds(1));
    EXPECT_EQ(NextWait(policy, 1, absl::Seconds(1.5), seed), absl::Seconds(1.5));
    EXPECT_EQ(NextWait(policy, 1, absl::Seconds(7), seed), absl::Seconds(2));
  }
}

}  // namespace
}  // namespace lvrpo
