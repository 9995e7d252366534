#include "common/shutdown.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace lvrpo {
namespace {

std::atomic<bool> g_requested = false;
int g_pipe[2] = {-1, -1};  // readable once shutdown was requested

void OnSignal(int number) {
  if (g_requested.exchange(true)) _exit(128 + number);
  [[maybe_unused]] const ssize_t written = write(g_pipe[1], "x", 1);
}

}  // namespace

ShutdownSignal::ShutdownSignal() {
  if (g_pipe[0] >= 0) return;
  if (pipe2(g_pipe, O_CLOEXEC | O_NONBLOCK) != 0) return;
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool ShutdownSignal::requested() const { return g_requested; }

void ShutdownSignal::Request() {
  if (g_requested.exchange(true)) return;
  [[maybe_unused]] const ssize_t written = write(g_pipe[1], "x", 1);
}

bool ShutdownSignal::WaitFor(absl::Duration timeout) const {
  pollfd poll_pipe = {.fd = g_pipe[0], .events = POLLIN, .revents = 0};
  poll(&poll_pipe, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  return g_requested;
}

}  // namespace lvrpo
