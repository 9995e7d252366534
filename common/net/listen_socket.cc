#include "common/net/listen_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

absl::Status Refused(const HostPort& where, int error) {
  const std::string message = absl::StrCat("cannot listen on ", where.ToString(), ": ", std::strerror(error));
  if (error == EACCES) return absl::PermissionDeniedError(message);
  if (error == EADDRNOTAVAIL || error == EAFNOSUPPORT) return absl::FailedPreconditionError(message);
  return absl::UnavailableError(message);
}

}  // namespace

absl::StatusOr<int> BindSocket(HostPort& where) {
  addrinfo wanted = {}, *list = nullptr;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  if (const int error = getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &wanted, &list)) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot listen on ", where.ToString(), ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, freeaddrinfo);
  int error = EADDRNOTAVAIL;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    const int fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
      error = errno;
      continue;
    }
    const int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (one->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    sockaddr_storage bound = {};
    socklen_t size = sizeof(bound);
    if (bind(fd, one->ai_addr, one->ai_addrlen) == 0 &&
        getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) == 0) {
      where.port = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                                     : reinterpret_cast<sockaddr_in&>(bound).sin_port);
      return fd;
    }
    error = errno;
    close(fd);
  }
  return Refused(where, error);
}

absl::Status CheckCanListen(const std::string& address) {
  absl::StatusOr<HostPort> where = ParseHostPort(address, AddressUse::kListen);
  if (!where.ok()) return where.status();
  const absl::StatusOr<int> fd = BindSocket(*where);
  if (fd.ok()) close(*fd);
  return fd.status();
}

}  // namespace lvrpo
