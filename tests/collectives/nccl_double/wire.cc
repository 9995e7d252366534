#include "tests/collectives/nccl_double/wire.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

namespace lvrpo::nccl_double {
namespace {

// An error that no test provokes.
void Require(bool condition, const char* what) {
  if (condition) return;
  std::perror(what);
  std::abort();
}

// The address, after the zero byte that makes it abstract.
socklen_t Fill(const std::string& address, sockaddr_un* name) {
  *name = {};
  name->sun_family = AF_UNIX;
  Require(address.size() + 1 < sizeof(name->sun_path), "nccl_double: address");
  std::memcpy(name->sun_path + 1, address.data(), address.size());
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + address.size());
}

void Poll(std::vector<pollfd>& polled) {
  while (poll(polled.data(), polled.size(), -1) < 0) Require(errno == EINTR, "nccl_double: poll");
}

// Moves what can be moved now. False: the other side is gone.
bool Advance(Transfer& transfer) {
  while (transfer.out_bytes > 0) {
    const ssize_t sent = send(transfer.fd, transfer.out, transfer.out_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) return false;
    transfer.out += sent;
    transfer.out_bytes -= static_cast<size_t>(sent);
  }
  while (transfer.in_bytes > 0) {
    const ssize_t received = recv(transfer.fd, transfer.in, transfer.in_bytes, MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN) break;
    if (received <= 0) return false;
    transfer.in += received;
    transfer.in_bytes -= static_cast<size_t>(received);
  }
  return true;
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Bell::Bell() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  Require(fd_.get() >= 0, "nccl_double: eventfd");
}

void Bell::Ring() {
  const uint64_t one = 1;
  Require(write(fd_.get(), &one, sizeof(one)) == sizeof(one), "nccl_double: eventfd");
}

void Bell::Reset() {
  uint64_t rung;
  if (read(fd_.get(), &rung, sizeof(rung)) < 0) Require(errno == EAGAIN, "nccl_double: eventfd");
}

bool Bell::HasRung() const {
  pollfd polled = {fd_.get(), POLLIN, 0};
  return poll(&polled, 1, 0) > 0;
}

void AwaitEither(const Bell& one, const Bell& other) {
  std::vector<pollfd> polled = {{one.fd(), POLLIN, 0}, {other.fd(), POLLIN, 0}};
  Poll(polled);
}

Io Exchange(std::vector<Transfer> transfers, const Bell& stop) {
  for (;;) {
    std::vector<pollfd> polled = {{stop.fd(), POLLIN, 0}};
    for (Transfer& transfer : transfers) {
      if (!Advance(transfer)) return Io::kClosed;
      const int events = (transfer.out_bytes > 0 ? POLLOUT : 0) | (transfer.in_bytes > 0 ? POLLIN : 0);
      if (events != 0) polled.push_back({transfer.fd, static_cast<short>(events), 0});
    }
    if (polled.size() == 1) return Io::kDone;
    Poll(polled);
    if (polled[0].revents != 0) return Io::kStopped;
  }
}

std::string NewAddress() {
  static std::atomic<int> count = 0;
  const uint64_t random = uint64_t{std::random_device()()} << 32 | std::random_device()();
  return "nccl-double-" + std::to_string(getpid()) + "-" + std::to_string(++count) + "-" +
         std::to_string(random);
}

Fd Listen(const std::string& address) {
  Fd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name;
  const socklen_t bytes = Fill(address, &name);
  Require(bind(listener.get(), reinterpret_cast<sockaddr*>(&name), bytes) == 0, "nccl_double: bind");
  Require(listen(listener.get(), 64) == 0, "nccl_double: listen");
  return listener;
}

Fd Connect(const std::string& address) {
  Fd connected(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name;
  const socklen_t bytes = Fill(address, &name);
  if (connect(connected.get(), reinterpret_cast<sockaddr*>(&name), bytes) == 0) return connected;
  return Fd();
}

int AwaitReadable(const std::vector<int>& fds, const Bell& stop) {
  std::vector<pollfd> polled = {{stop.fd(), POLLIN, 0}};
  for (int fd : fds) polled.push_back({fd, POLLIN, 0});
  Poll(polled);
  if (polled[0].revents != 0) return -1;
  for (size_t i = 1; i < polled.size(); ++i) {
    if (polled[i].revents != 0) return polled[i].fd;
  }
  return -1;
}

Fd Accept(const Fd& listener, const Bell& stop) {
  if (AwaitReadable({listener.get()}, stop) < 0) return Fd();
  return Fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

}  // namespace lvrpo::nccl_double
