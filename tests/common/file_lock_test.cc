#include "common/files/file_lock.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

class FileLockTest : public ::testing::Test {
 protected:
  FileLockTest()
      : path_(std::filesystem::temp_directory_path() / ("lvrpo-lock-" + std::to_string(getpid()))) {}
  ~FileLockTest() override { std::filesystem::remove(path_); }
  const std::filesystem::path path_;
};

TEST_F(FileLockTest, OneHolderAtATime) {
  {
    const auto first = FileLock::Take(path_.string(), absl::ZeroDuration());
    ASSERT_TRUE(first.ok()) << first.status();
    const auto second = FileLock::Take(path_.string(), absl::ZeroDuration());
    EXPECT_TRUE(absl::IsUnavailable(second.status()));
    const auto gave_up = FileLock::Take(path_.string(), absl::Hours(1), [] { return true; });
    EXPECT_TRUE(absl::IsCancelled(gave_up.status()));
  }
  EXPECT_TRUE(FileLock::Take(path_.string(), absl::ZeroDuration()).ok());
}

TEST_F(FileLockTest, AKilledHolderHoldsNothing) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto held = FileLock::Take(path_.string(), absl::ZeroDuration());
    (void)!write(ready[1], held.ok() ? "y" : "n", 1);
    pause();
    _exit(0);
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_TRUE(absl::IsUnavailable(FileLock::Take(path_.string(), absl::ZeroDuration()).status()));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(FileLock::Take(path_.string(), absl::ZeroDuration()).ok());
}

TEST_F(FileLockTest, SaysWhyItCannotBeTaken) {
  const auto impossible = FileLock::Take("/proc/no/such/lock", absl::ZeroDuration());
  EXPECT_TRUE(absl::IsPermissionDenied(impossible.status()));
}

}  // namespace
}  // namespace lvrpo
