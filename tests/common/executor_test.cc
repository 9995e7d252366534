#include "common/executor.h"

#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(ThreadExecutor, RunsTasksInOrderOnAnotherThread) {
  std::vector<int> ran;
  absl::Notification last;
  ThreadExecutor executor;
  for (int i = 0; i < 3; ++i) executor.Run([&ran, i] { ran.push_back(i); });
  executor.Run([&] {
    executor.Run([&] { last.Notify(); });  // a task may give further ones
  });
  last.WaitForNotification();
  EXPECT_THAT(ran, ::testing::ElementsAre(0, 1, 2));
}

TEST(ThreadExecutor, FinishWaitsForTheTaskInProgressAndRunsNoLaterOne) {
  absl::Notification begun;
  bool ended = false, later = false;
  ThreadExecutor executor;
  executor.Run([&] {
    begun.Notify();
    ended = true;
  });
  begun.WaitForNotification();
  executor.Finish();
  EXPECT_TRUE(ended);
  executor.Run([&] { later = true; });
  executor.Finish();
  EXPECT_FALSE(later);
}

}  // namespace
}  // namespace lvrpo
