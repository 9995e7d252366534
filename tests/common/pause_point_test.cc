#include "common/pause_point.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

// In a separate process, with this in the environment: after how many of ten "gather", each followed by
// "scatter", it stops; nullopt: it ends. Whether it goes on when told to is checked here.
std::optional<int> StopsAt(const char* place) {
  int passed[2];
  EXPECT_EQ(pipe(passed), 0);
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    place == nullptr ? unsetenv("LVRPO_PAUSE_AT") : setenv("LVRPO_PAUSE_AT", place, 1);
    for (int i = 0; i < 10; ++i) {
      PausePoint("gather");
      if (write(passed[1], "x", 1) != 1) _exit(1);
      PausePoint("scatter");
    }
    _exit(0);
  }
  close(passed[1]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, WUNTRACED), child);
  const bool stopped = WIFSTOPPED(status);
  char bytes[16];
  const ssize_t before = stopped ? read(passed[0], bytes, sizeof(bytes)) : 0;
  if (stopped) {
    kill(child, SIGCONT);
    EXPECT_EQ(waitpid(child, &status, 0), child);
  }
  close(passed[0]);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  return stopped ? std::optional(static_cast<int>(before)) : std::nullopt;
}

TEST(PausePoint, StopsTheProcessOnceAtThePlaceThatIsNamed) {
  struct {
    const char* place;
    std::optional<int> at;
  } cases[] = {{nullptr, std::nullopt},
               {"", std::nullopt},
               {"gather", std::nullopt},
               {"gather:", std::nullopt},
               {"gather:x", std::nullopt},
               {"gather:0", std::nullopt},
               {"gather:11", std::nullopt},
               {"gathe:3", std::nullopt},
               {"gather:3", 2},
               {"scatter:1", 1},
               {"scatter:10", 10}};
  for (const auto& c : cases) EXPECT_EQ(StopsAt(c.place), c.at) << (c.place == nullptr ? "unset" : c.place);
}

}  // namespace
}  // namespace lvrpo
