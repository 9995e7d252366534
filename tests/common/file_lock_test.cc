#include "common/files/file_lock.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_waiting.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

class FileLockTest : public ::testing::Test {
 protected:
  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "lock";
};

TEST_F(FileLockTest, OneHolderAtATime) {
  {
    const auto first = FileLock::Take(path_, absl::ZeroDuration());
    ASSERT_TRUE(first.ok()) << first.status();
    const auto second = FileLock::Take(path_, absl::ZeroDuration());
    EXPECT_TRUE(absl::IsUnavailable(second.status()));
    FakeWaiting time;
    const auto later = FileLock::Take(path_, absl::Hours(1), nullptr, time.waiting());
    EXPECT_TRUE(absl::IsUnavailable(later.status()));
    EXPECT_EQ(time.clock.Now() - FakeClock().Now(), absl::Hours(1));
    const auto gave_up = FileLock::Take(path_, absl::Hours(1), [] { return true; });
    EXPECT_TRUE(absl::IsCancelled(gave_up.status()));
  }
  EXPECT_TRUE(FileLock::Take(path_, absl::ZeroDuration()).ok());
}

TEST_F(FileLockTest, AKilledHolderHoldsNothing) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto held = FileLock::Take(path_, absl::ZeroDuration());
    (void)!write(ready[1], held.ok() ? "y" : "n", 1);
    pause();
    _exit(0);
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_TRUE(absl::IsUnavailable(FileLock::Take(path_, absl::ZeroDuration()).status()));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(FileLock::Take(path_, absl::ZeroDuration()).ok());
}

TEST_F(FileLockTest, SaysWhyItCannotBeTaken) {
  const auto impossible = FileLock::Take("/proc/no/such/lock", absl::ZeroDuration());
  EXPECT_TRUE(absl::IsPermissionDenied(impossible.status()));
}

}  // namespace
}  // namespace lvrpo
