#include "common/metrics.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/version.h"

namespace lvrpo {
namespace {

constexpr size_t kMaxRequest = 8192;

std::string Response(int code, const char* reason, const std::string& type, const std::string& body) {
  return absl::StrCat("HTTP/1.0 ", code, " ", reason, "\r\nContent-Type: ", type,
                      "\r\nContent-Length: ", body.size(), "\r\nConnection: close\r\n\r\n", body);
}

}  // namespace

Metrics::Metrics(const std::string& role) {
  Gauge("lvrpo_build_info", "1; the labels say what runs here.", {{"role", role}, {"version", kVersion}})
      .Set(1);
}

prometheus::Counter& Metrics::Counter(const std::string& name, const std::string& help,
                                      const Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry_).Add(labels);
}

prometheus::Gauge& Metrics::Gauge(const std::string& name, const std::string& help, const Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry_).Add(labels);
}

prometheus::Histogram& Metrics::Seconds(const std::string& name, const std::string& help,
                                        const Labels& labels) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry_).Add(
      labels, prometheus::Histogram::BucketBoundaries{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5,
                                                      5, 10, 30, 60});
}

std::string Metrics::Render() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& address,
                                                                    const Metrics& metrics,
                                                                    Readiness readiness,
                                                                    absl::Duration patience) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 ||
      port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("the metrics address '", address, "' is not host:port"));
  }
  const std::string host = address.substr(0, colon);
  sockaddr_in where = {};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host.c_str(), &where.sin_addr) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the metrics address '", address, "' needs a numeric IPv4 host"));
  }
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::InternalError(absl::StrCat("cannot make a socket: ", std::strerror(errno)));
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof(where)) != 0 || listen(fd, 16) != 0) {
    const std::string why = std::strerror(errno);
    close(fd);
    return absl::UnavailableError(absl::StrCat("cannot serve metrics on ", address, ": ", why));
  }
  socklen_t size = sizeof(where);
  getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size);
  return std::unique_ptr<MetricsServer>(new MetricsServer(fd, absl::StrCat(host, ":", ntohs(where.sin_port)),
                                                          metrics, std::move(readiness), patience));
}

MetricsServer::MetricsServer(int fd, std::string address, const Metrics& metrics, Readiness readiness,
                             absl::Duration patience)
    : fd_(fd),
      address_(std::move(address)),
      metrics_(metrics),
      readiness_(std::move(readiness)),
      patience_(patience) {
  if (pipe2(stop_pipe_, O_CLOEXEC) != 0) stop_pipe_[0] = stop_pipe_[1] = -1;
  thread_ = std::thread([this] { Serve(); });
}

MetricsServer::~MetricsServer() {
  close(stop_pipe_[1]);  // wakes the thread
  thread_.join();
  close(stop_pipe_[0]);
  close(fd_);
}

void MetricsServer::Serve() {
  while (true) {
    pollfd waits[2] = {{.fd = fd_, .events = POLLIN, .revents = 0},
                       {.fd = stop_pipe_[0], .events = POLLIN, .revents = 0}};
    if (poll(waits, 2, -1) < 0 && errno != EINTR) return;
    if (waits[1].revents != 0) return;
    if ((waits[0].revents & POLLIN) == 0) continue;
    const int client = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) continue;
    ServeClient(client);
    close(client);
  }
}

bool MetricsServer::WaitFor(int client, short events, absl::Time deadline) const {
  while (true) {
    const absl::Duration left = deadline - RealClock().Now();
    if (left <= absl::ZeroDuration()) return false;
    pollfd waits[2] = {{.fd = client, .events = events, .revents = 0},
                       {.fd = stop_pipe_[0], .events = POLLIN, .revents = 0}};
    const int found = poll(waits, 2, static_cast<int>(std::ceil(absl::ToDoubleMilliseconds(left))));
    if (found < 0 && errno != EINTR) return false;
    if (found <= 0) continue;
    return waits[1].revents == 0;
  }
}

void MetricsServer::ServeClient(int client) const {
  const absl::Time deadline = RealClock().Now() + patience_;
  std::string request;
  char buffer[2048];
  while (!absl::StrContains(request, "\r\n\r\n")) {
    if (request.size() >= kMaxRequest || !WaitFor(client, POLLIN, deadline)) return;
    const ssize_t got = recv(client, buffer, sizeof(buffer), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return;
    request.append(buffer, static_cast<size_t>(got));
  }
  const std::string answer = Answer(request);
  size_t sent = 0;
  while (sent < answer.size() && WaitFor(client, POLLOUT, deadline)) {
    const ssize_t wrote = send(client, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
    if (wrote < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (wrote <= 0) return;
    sent += static_cast<size_t>(wrote);
  }
}

std::string MetricsServer::Answer(const std::string& request) const {
  const std::string line = request.substr(0, request.find("\r\n"));
  if (!absl::StartsWith(line, "GET ")) return Response(405, "Method Not Allowed", "text/plain", "only GET\n");
  const std::string path = line.substr(4, line.find(' ', 4) - 4);
  if (path == "/metrics") return Response(200, "OK", "text/plain; version=0.0.4", metrics_.Render());
  if (path == "/healthz") return Response(200, "OK", "text/plain", "alive\n");
  if (path == "/readyz") {
    const std::string why_not = readiness_ ? readiness_() : "";
    if (why_not.empty()) return Response(200, "OK", "text/plain", "ready\n");
    return Response(503, "Service Unavailable", "text/plain", why_not + "\n");
  }
  return Response(404, "Not Found", "text/plain", "try /metrics, /healthz or /readyz\n");
}

}  // namespace lvrpo
