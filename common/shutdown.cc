#include "common/shutdown.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace lvrpo {
namespace {

constexpr int64_t kSameWishMilliseconds = 1000;

std::atomic<int64_t> g_requested_at = 0;  // milliseconds of the monotonic clock; 0: not requested
std::atomic<pid_t> g_parent = 0, g_dead_parent = 0;
// Of a process that the system tells when its parent ends: that parent, and who asked first. 0: nobody.
std::atomic<pid_t> g_first_parent = 0, g_first_sender = 0;
int g_pipe[2] = {-1, -1};  // readable once shutdown was requested

int64_t Milliseconds() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000 + 1;  // never 0
}

// The time of the first shutdown request: now, if there was none before.
int64_t RequestAt(int64_t now) {
  int64_t before = 0;
  if (!g_requested_at.compare_exchange_strong(before, now)) return before;
  [[maybe_unused]] const ssize_t written = write(g_pipe[1], "x", 1);
  return 0;
}

// Whether a signal from `sender` is the system's report that the parent has ended: its sender is the former
// parent, which by then is not the parent any more.
bool TellsOfParentsDeath(pid_t sender) {
  const pid_t parent = getppid();
  if (const pid_t before = g_parent.exchange(parent); before != parent) g_dead_parent = before;
  return sender != 0 && sender == g_dead_parent;
}

void OnSignal(int number, siginfo_t* info, void*) {
  const int error = errno;
  const bool death = TellsOfParentsDeath(info->si_pid);
  if (g_requested_at == 0 && number == SIGTERM) g_first_sender = info->si_pid;
  const int64_t now = Milliseconds(), before = RequestAt(now);
  const SignalFacts facts = {.number = number,
                             .parents_death = death,
                             .leaving = before != 0,
                             .milliseconds_ago = before != 0 ? now - before : 0};
  if (AnswerTo(facts) == SignalAnswer::kEndAtOnce) _exit(128 + number);
  errno = error;
}

}  // namespace

SignalAnswer AnswerTo(const SignalFacts& facts) {
  if (!facts.leaving) return SignalAnswer::kLeave;
  if (facts.number == SIGHUP || facts.parents_death) return SignalAnswer::kNothing;
  return facts.milliseconds_ago < kSameWishMilliseconds ? SignalAnswer::kNothing : SignalAnswer::kEndAtOnce;
}

ShutdownSignal::ShutdownSignal() {
  if (g_pipe[0] >= 0) return;
  if (pipe2(g_pipe, O_CLOEXEC | O_NONBLOCK) != 0) return;
  g_parent = getppid();
  int report = 0;
  if (prctl(PR_GET_PDEATHSIG, &report) == 0 && report != 0) g_first_parent = getppid();
  struct sigaction action = {};
  action.sa_sigaction = OnSignal;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  struct sigaction hangup = {};
  sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool ShutdownSignal::requested() const { return g_requested_at != 0; }

// A parent of several threads may still be there when the system reports its death.
bool ShutdownSignal::orphaned() const {
  const pid_t parent = g_first_parent;
  return parent != 0 && requested() && g_first_sender == parent && getppid() != parent;
}

void ShutdownSignal::Request() { RequestAt(Milliseconds()); }

bool ShutdownSignal::WaitFor(absl::Duration timeout) const {
  pollfd poll_pipe = {.fd = g_pipe[0], .events = POLLIN, .revents = 0};
  poll(&poll_pipe, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  return requested();
}

}  // namespace lvrpo
