#include "common/bounded_queue.h"

#include <thread>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(BoundedQueue, BlocksAndCloses) {
  BoundedQueue<int> queue(1);
  EXPECT_TRUE(queue.Push(1, absl::ZeroDuration()).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(queue.Push(2, absl::ZeroDuration())));
  std::thread pusher([&] { EXPECT_TRUE(queue.Push(3, absl::InfiniteDuration()).ok()); });
  EXPECT_EQ(*queue.Pop(absl::InfiniteDuration()), 1);
  EXPECT_EQ(*queue.Pop(absl::InfiniteDuration()), 3);
  pusher.join();
  EXPECT_TRUE(absl::IsDeadlineExceeded(queue.Pop(absl::ZeroDuration()).status()));
  EXPECT_TRUE(queue.Push(4, absl::ZeroDuration()).ok());
  queue.Close();
  EXPECT_TRUE(absl::IsCancelled(queue.Push(5, absl::ZeroDuration())));
  EXPECT_EQ(*queue.Pop(absl::InfiniteDuration()), 4);  // what was inside comes out
  EXPECT_TRUE(absl::IsCancelled(queue.Pop(absl::InfiniteDuration()).status()));
}

}  // namespace
}  // namespace lvrpo
