#include "collectives/gloo/rendezvous.h"

#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/net/host_port.h"
#include "common/net/listen_socket.h"
#include "common/thrown.h"
#include "torch/csrc/distributed/c10d/TCPStore.hpp"

namespace lvrpo {
namespace {

class TcpRendezvous final : public Rendezvous {
 public:
  TcpRendezvous(c10::intrusive_ptr<c10d::TCPStore> store, std::string address)
      : store_(std::move(store)), address_(std::move(address)) {}
  const std::string& address() const override { return address_; }

 private:
  const c10::intrusive_ptr<c10d::TCPStore> store_;
  const std::string address_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Rendezvous>> ServeRendezvous(const std::string& host) {
  HostPort where = {.host = host, .port = 0};
  // Bound here: on its own a TCPStore listens on all interfaces.
  const absl::StatusOr<int> socket = BindSocket(where);
  if (!socket.ok()) return socket.status();
  c10::intrusive_ptr<c10d::TCPStore> store;
  const absl::Status started = TryToRun([&] {
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(where.port);
    options.isServer = true;
    options.waitWorkers = false;
    options.masterListenFd = *socket;  // the store closes it
    store = c10::make_intrusive<c10d::TCPStore>(where.host, options);
  });
  if (!started.ok()) {
    return absl::UnavailableError(absl::StrCat("no rendezvous of learner ranks could be served at ",
                                               where.ToString(), ": ", started.message()));
  }
  return std::make_unique<TcpRendezvous>(std::move(store), where.ToString());
}

}  // namespace lvrpo
