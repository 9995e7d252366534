#include "common/shutdown.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(ShutdownSignal, AnswersSignals) {
  struct Case {
    SignalFacts facts;
    SignalAnswer answer;
  };
  using enum SignalAnswer;
  for (const Case& c : std::initializer_list<Case>{
           {{.number = SIGTERM}, kLeave},
           {{.number = SIGINT}, kLeave},
           {{.number = SIGHUP}, kLeave},
           {{.number = SIGTERM, .parents_death = true}, kLeave},
           {{.number = SIGTERM, .leaving = true, .milliseconds_ago = 0}, kNothing},
           {{.number = SIGINT, .leaving = true, .milliseconds_ago = 999}, kNothing},
           {{.number = SIGINT, .leaving = true, .milliseconds_ago = 1000}, kEndAtOnce},
           {{.number = SIGTERM, .leaving = true, .milliseconds_ago = 60000}, kEndAtOnce},
           {{.number = SIGHUP, .leaving = true, .milliseconds_ago = 60000}, kNothing},
           {{.number = SIGTERM, .parents_death = true, .leaving = true, .milliseconds_ago = 60000}, kNothing},
       }) {
    EXPECT_EQ(AnswerTo(c.facts), c.answer) << c.facts.number << " after " << c.facts.milliseconds_ago;
  }
}

// Exit code of `body` in a separate process; -1: it was killed or did not end by itself.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    _exit(body());
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ShutdownSignal, EachSignalAsksAndASecondAtOnceIsTheSameWish) {
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    EXPECT_EQ(InChild([number] {
                signal(number, SIG_DFL);
                const ShutdownSignal shutdown;
                if (shutdown.requested() || shutdown.WaitFor(absl::ZeroDuration())) return 1;
                raise(number);
                raise(number);
                return shutdown.WaitFor(absl::Seconds(20)) && !shutdown.orphaned() ? 0 : 2;
              }),
              0)
        << number;
  }
}

TEST(ShutdownSignal, LeavesAnIgnoredHangupIgnored) {
  EXPECT_EQ(InChild([] {
              signal(SIGHUP, SIG_IGN);
              const ShutdownSignal shutdown;
              raise(SIGHUP);
              return shutdown.requested() ? 1 : 0;
            }),
            0);
}

// What the child of a process tells of that one's death, which ends by itself or is killed, with one thread
// or more: 'o' when it knows why it was asked to leave.
char TellOfParent(bool threads) {
  int told[2];
  if (pipe(told) != 0) return 'p';
  const pid_t parent = fork();
  if (parent == 0) {
    int ready[2];
    if (pipe(ready) != 0) _exit(1);
    if (fork() == 0) {
      alarm(30);
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      const ShutdownSignal shutdown;
      (void)!write(ready[1], "r", 1);
      const bool asked = shutdown.WaitFor(absl::Seconds(20));
      for (int i = 0; asked && i < 2000 && !shutdown.orphaned(); ++i) usleep(1000);
      const char answer = !asked ? 'n' : shutdown.orphaned() ? 'o' : 's';
      (void)!write(told[1], &answer, 1);
      _exit(0);
    }
    if (threads) std::thread([] { pause(); }).detach();
    char byte;
    (void)!read(ready[0], &byte, 1);
    kill(getpid(), SIGKILL);
  }
  close(told[1]);
  char answer = 0;
  if (read(told[0], &answer, 1) != 1) answer = 'x';
  close(told[0]);
  waitpid(parent, nullptr, 0);
  return answer;
}

TEST(ShutdownSignal, ADyingParentAsks) {
  EXPECT_EQ(TellOfParent(/*threads=*/false), 'o');
  EXPECT_EQ(TellOfParent(/*threads=*/true), 'o');
}

TEST(ShutdownSignal, AParentThatAsksIsNotDead) {
  EXPECT_EQ(InChild([] {
              prctl(PR_SET_PDEATHSIG, SIGTERM);
              const ShutdownSignal shutdown;
              const pid_t child = getpid();
              if (fork() == 0) {
                kill(child, SIGTERM);
                _exit(0);
              }
              return shutdown.WaitFor(absl::Seconds(20)) && !shutdown.orphaned() ? 0 : 1;
            }),
            0);
}

}  // namespace
}  // namespace lvrpo
