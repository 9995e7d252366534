#include "rollout_worker/delivery_thread.h"

#include <vector>

#include "absl/synchronization/notification.h"
#include "common/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/messages.h"

namespace lvrpo {
namespace {

GeneratedGroup Group(int64_t ordinal) {
  GeneratedGroup group;
  group.lease = Lease(ordinal);
  return group;
}

TEST(DeliveryThread, DeliversEverythingInOrderAndTellsTheBackoff) {
  FakeClock clock;
  Backoff backoff(clock);
  std::vector<int64_t> delivered;  // by the thread; read after Finish()
  DeliveryThread thread(
      [&](GeneratedGroup group) -> std::string {
        delivered.push_back(group.lease.id().ordinal());
        return "learner_unreachable";
      },
      backoff);
  for (const int64_t ordinal : {3, 5, 4}) thread.HandOver(Group(ordinal));
  thread.Finish();
  EXPECT_THAT(delivered, ::testing::ElementsAre(3, 5, 4));
  EXPECT_EQ(backoff.Left(), absl::Seconds(4));  // the third failure in a row
  thread.Finish();                              // nothing to do
}

TEST(DeliveryThread, SamplingGoesOnWhileAGroupIsDelivered) {
  Backoff backoff;
  absl::Notification begun, go_on;
  int delivered = 0;
  {
    DeliveryThread thread(
        [&](GeneratedGroup group) -> std::string {
          if (group.lease.id().ordinal() == 1) begun.Notify();
          go_on.WaitForNotification();
          ++delivered;
          return "accepted";
        },
        backoff);
    thread.HandOver(Group(1));
    begun.WaitForNotification();
    thread.HandOver(Group(2));  // returns while the first is being delivered
    go_on.Notify();
  }
  EXPECT_EQ(delivered, 2);
}

}  // namespace
}  // namespace lvrpo
