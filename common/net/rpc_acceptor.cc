#include "common/net/rpc_acceptor.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/net/listen_socket.h"

namespace lvrpo {
namespace {

std::string HostOf(const sockaddr_storage& peer, socklen_t size) {
  char host[NI_MAXHOST] = "";
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&peer), size, host, sizeof(host), nullptr, 0,
                  NI_NUMERICHOST) != 0)
    return "unknown";
  return std::string(absl::StripPrefix(host, "::ffff:"));
}

absl::StatusOr<int> Bind(HostPort& where) {
  if (where.host == "0.0.0.0") {
    HostPort both = {.host = "::", .port = where.port};
    if (const absl::StatusOr<int> fd = BindSocket(both); fd.ok()) {
      where.port = both.port;
      return fd;
    }
  }
  return BindSocket(where);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RpcAcceptor>> RpcAcceptor::Listen(HostPort& where,
                                                                 OpenConnections::Limits limits,
                                                                 std::shared_ptr<Denials> denials) {
  const absl::StatusOr<int> fd = Bind(where);
  if (!fd.ok()) return fd.status();
  if (listen(*fd, SOMAXCONN) != 0) {
    const int error = errno;
    close(*fd);
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", where.ToString(), ": ", std::strerror(error)));
  }
  return std::unique_ptr<RpcAcceptor>(new RpcAcceptor(*fd, limits, std::move(denials)));
}

RpcAcceptor::RpcAcceptor(int fd, OpenConnections::Limits limits, std::shared_ptr<Denials> denials)
    : fd_(fd), connections_(limits), denials_(std::move(denials)) {
  if (pipe2(stop_pipe_, O_CLOEXEC) != 0) stop_pipe_[0] = stop_pipe_[1] = -1;
}

RpcAcceptor::~RpcAcceptor() {
  close(stop_pipe_[1]);  // wakes the thread
  if (thread_.joinable()) thread_.join();
  close(stop_pipe_[0]);
  close(fd_);
}

void RpcAcceptor::Start(std::unique_ptr<Server> server) {
  server_ = std::move(server);
  thread_ = std::thread([this] { Run(); });
}

void RpcAcceptor::Run() {
  constexpr int kForever = -1, kRetry = 100;  // ms
  bool listens = true;
  while (true) {
    pollfd waits[] = {{.fd = stop_pipe_[0], .events = POLLIN, .revents = 0},
                      {.fd = listens ? fd_ : -1, .events = POLLIN, .revents = 0}};
    const int found = poll(waits, 2, listens ? kForever : kRetry);
    if ((found < 0 && errno != EINTR) || waits[0].revents != 0) return;
    listens = waits[1].revents == 0 || AcceptOne();  // without a descriptor for it: a little later
  }
}

bool RpcAcceptor::AcceptOne() {
  sockaddr_storage peer = {};
  socklen_t size = sizeof(peer);
  const int fd = accept4(fd_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) return true;
    denials_->Note("", "no_descriptors", absl::StrCat("a connection waits: ", std::strerror(errno)));
    return false;
  }
  const std::string host = HostOf(peer, size);
  if (const absl::Status status = connections_.Add(fd, host); !status.ok()) {
    denials_->Note("", "too_many_connections", absl::StrCat(host, ": ", status.message()));
    close(fd);
    return true;
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  Server::NewConnectionParameters connection;
  connection.listener_fd = fd_;
  connection.fd = fd;
  server_->HandleNewConnection(&connection);
  return true;
}

}  // namespace lvrpo
