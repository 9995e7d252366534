#include "common/telemetry/metrics.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/clock.h"
#include "common/files/disk_room.h"
#include "common/net/host_port.h"
#include "common/net/listen_socket.h"
#include "common/telemetry/catalogue.h"
#include "common/telemetry/process_metrics.h"
#include "common/version.h"
#include "common/version/build_commit.h"

namespace lvrpo {
namespace {

constexpr size_t kMaxRequest = 8192, kMaxClients = 64;

std::string Response(const PageAnswer& answer, bool with_body) {
  return absl::StrCat("HTTP/1.0 ", answer.code, " ", answer.reason, "\r\nContent-Type: ", answer.type,
                      "\r\nContent-Length: ", answer.body.size(), "\r\n", answer.headers,
                      "Connection: close\r\n\r\n", with_body ? answer.body : "");
}

// The value of a header in a request; empty: it has none.
std::string HeaderOf(absl::string_view request, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(request, "\r\n")) {
    if (line.size() > name.size() && line[name.size()] == ':' &&
        absl::EqualsIgnoreCase(line.substr(0, name.size()), name)) {
      return std::string(absl::StripAsciiWhitespace(line.substr(name.size() + 1)));
    }
  }
  return "";
}

bool IsLoopback(const sockaddr_storage& peer) {
  if (peer.ss_family == AF_INET)
    return (ntohl(reinterpret_cast<const sockaddr_in&>(peer).sin_addr.s_addr) >> 24) == 127;
  if (peer.ss_family != AF_INET6) return false;
  const in6_addr& address = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == 127);
}

// The catalogue's entry of a family that this process is about to export.
const MetricSpec& Listed(const std::string& name, MetricType type, const Metrics::Labels& labels) {
  const MetricSpec* spec = FindMetric(name);
  if (spec == nullptr || spec->type != type)
    throw std::logic_error(absl::StrCat(name, " is not in the catalogue of metrics with this type"));
  bool same = spec->labels.size() == labels.size();
  for (const MetricSpec::Label& label : spec->labels) same = same && labels.count(label.name) == 1;
  if (!same) throw std::logic_error(absl::StrCat(name, " has other labels in the catalogue of metrics"));
  return *spec;
}

}  // namespace

Metrics::Metrics(const std::string& role) {
  Gauge("lvrpo_build_info", {{"role", role}, {"version", kVersion}, {"commit", BuildCommit()}}).Set(1);
  for (const MetricSpec& metric : MetricCatalogue()) {
    const std::string whose = RoleOf(metric);
    if (metric.type != MetricType::kCounter || (whose != role && whose != "every role")) continue;
    for (const Labels& labels : KnownSeries(metric)) Counter(metric.name, labels);
  }
  BeforeRender([this] { RefreshProcessMetrics(*this); });
}

prometheus::Counter& Metrics::Counter(const std::string& name, const Labels& labels) {
  const MetricSpec& spec = Listed(name, MetricType::kCounter, labels);
  return prometheus::BuildCounter().Name(name).Help(spec.help).Register(registry_).Add(labels);
}

prometheus::Gauge& Metrics::Gauge(const std::string& name, const Labels& labels) {
  const MetricSpec& spec = Listed(name, MetricType::kGauge, labels);
  return prometheus::BuildGauge().Name(name).Help(spec.help).Register(registry_).Add(labels);
}

prometheus::Histogram& Metrics::Seconds(const std::string& name, const Labels& labels) {
  const MetricSpec& spec = Listed(name, MetricType::kHistogram, labels);
  return prometheus::BuildHistogram().Name(name).Help(spec.help).Register(registry_).Add(
      labels, prometheus::Histogram::BucketBoundaries{.001, .0025, .01, .025, .1, .25, 1, 2.5, 10, 30, 60,
                                                      300, 900, 3600});
}

void Metrics::SetRun(const std::string& run_id) {
  absl::MutexLock lock(&mutex_);
  run_ = run_id;
}

void Metrics::BeforeRender(std::function<void()> refresh) {
  absl::MutexLock lock(&mutex_);
  refreshers_.push_back(std::move(refresh));
}

void Metrics::WatchDisk(const std::string& place, const std::string& folder) {
  BeforeRender([this, place, folder] {
    const absl::StatusOr<DiskRoom> room = DiskRoomOf(folder);
    if (!room.ok()) return;
    Gauge("lvrpo_disk_free_bytes", {{"place", place}}).Set(static_cast<double>(room->free_bytes));
    Gauge("lvrpo_disk_size_bytes", {{"place", place}}).Set(static_cast<double>(room->size_bytes));
  });
}

std::string Metrics::Render() const {
  std::string run;
  std::vector<std::function<void()>> refreshers;
  {
    absl::MutexLock lock(&mutex_);
    run = run_;
    refreshers = refreshers_;
  }
  for (const auto& refresh : refreshers) refresh();
  std::vector<prometheus::MetricFamily> families = registry_.Collect();
  if (!run.empty()) {
    for (prometheus::MetricFamily& family : families) {
      for (prometheus::ClientMetric& metric : family.metric) metric.label.push_back({"run", run});
    }
  }
  return prometheus::TextSerializer().Serialize(families);
}

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& address,
                                                                    const Metrics& metrics,
                                                                    Readiness readiness,
                                                                    absl::Duration patience, Pages pages) {
  absl::StatusOr<HostPort> where = ParseHostPort(address, AddressUse::kListen);
  if (!where.ok()) return where.status();
  const absl::StatusOr<int> fd = BindSocket(*where);
  if (!fd.ok()) return absl::Status(fd.status().code(), absl::StrCat("metrics: ", fd.status().message()));
  if (listen(*fd, SOMAXCONN) != 0) {
    const std::string why = std::strerror(errno);
    close(*fd);
    return absl::UnavailableError(absl::StrCat("cannot serve metrics on ", address, ": ", why));
  }
  return std::unique_ptr<MetricsServer>(
      new MetricsServer(*fd, where->ToString(), metrics, std::move(readiness), patience, std::move(pages)));
}

MetricsServer::MetricsServer(int fd, std::string address, const Metrics& metrics, Readiness readiness,
                             absl::Duration patience, Pages pages)
    : fd_(fd),
      address_(std::move(address)),
      metrics_(metrics),
      readiness_(std::move(readiness)),
      patience_(patience),
      pages_(std::move(pages)) {
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
  std::list<Client> clients;  // oldest first, so the first one's deadline is the next
  std::vector<pollfd> waits;
  while (true) {
    waits = {{.fd = stop_pipe_[0], .events = POLLIN, .revents = 0},
             {.fd = fd_, .events = POLLIN, .revents = 0}};
    for (const Client& client : clients) {
      const short events = client.answer.empty() ? POLLIN : POLLOUT;
      waits.push_back({.fd = client.fd, .events = events, .revents = 0});
    }
    const absl::Duration left = clients.empty() ? absl::Seconds(60)
                                                : std::clamp(clients.front().deadline - RealClock().Now(),
                                                             absl::ZeroDuration(), absl::Seconds(60));
    const int found =
        poll(waits.data(), waits.size(), static_cast<int>(std::ceil(absl::ToDoubleMilliseconds(left))));
    if (found < 0 && errno != EINTR) break;
    if (waits[0].revents != 0) break;
    size_t i = 2;
    const absl::Time now = RealClock().Now();
    for (auto client = clients.begin(); client != clients.end(); ++i) {
      if ((waits[i].revents == 0 || Advance(*client)) && now < client->deadline) {
        ++client;
      } else {
        close(client->fd);
        client = clients.erase(client);
      }
    }
    if (waits[1].revents != 0) Accept(clients);
  }
  for (const Client& client : clients) close(client.fd);
}

void MetricsServer::Accept(std::list<Client>& clients) const {
  sockaddr_storage peer = {};
  socklen_t size = sizeof(peer);
  const int fd = accept4(fd_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  const bool no_room = fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);
  if (!clients.empty() && (no_room || clients.size() >= kMaxClients)) {
    close(clients.front().fd);
    clients.pop_front();
  } else if (no_room) {  // no free descriptors: retry a little later
    pollfd stop = {.fd = stop_pipe_[0], .events = POLLIN, .revents = 0};
    poll(&stop, 1, 100);
  }
  if (fd >= 0)
    clients.push_back({.fd = fd,
                       .from_loopback = IsLoopback(peer),
                       .deadline = RealClock().Now() + patience_,
                       .request = "",
                       .answer = ""});
}

bool MetricsServer::Advance(Client& client) const {
  const auto again = [] { return errno == EAGAIN || errno == EINTR; };
  if (client.answer.empty()) {
    char buffer[2048];
    const ssize_t got = recv(client.fd, buffer, sizeof(buffer), 0);
    if (got <= 0) return got < 0 && again();
    client.request.append(buffer, static_cast<size_t>(got));
    if (!absl::StrContains(client.request, "\r\n\r\n")) return client.request.size() < kMaxRequest;
    client.answer = Answer(client.request, client.from_loopback);
  }
  const std::string& answer = client.answer;
  const ssize_t wrote =
      send(client.fd, answer.data() + client.sent, answer.size() - client.sent, MSG_NOSIGNAL);
  if (wrote < 0) return again();
  client.sent += static_cast<size_t>(wrote);
  return client.sent < answer.size();
}

std::string MetricsServer::Answer(const std::string& request, bool from_loopback) const {
  const std::string line = request.substr(0, request.find("\r\n"));
  const bool head = absl::StartsWith(line, "HEAD ");
  if (!head && !absl::StartsWith(line, "GET "))
    return Response({.code = 405, .reason = "Method Not Allowed", .body = "only GET and HEAD\n"}, true);
  const size_t begin = line.find(' ') + 1;
  const std::string target = line.substr(begin, line.find(' ', begin) - begin);
  PageRequest asked;
  asked.path = target.substr(0, target.find('?'));
  asked.host = HeaderOf(request, "Host");
  asked.from_loopback = from_loopback;
  return Response(AnswerTo(asked), !head);
}

PageAnswer MetricsServer::AnswerTo(const PageRequest& request) const {
  if (request.path == "/healthz") return {.body = "alive\n"};
  const std::string why_not = readiness_ ? readiness_() : "";  // refreshes lvrpo_role_state, too
  if (request.path == "/metrics") return {.type = "text/plain; version=0.0.4", .body = metrics_.Render()};
  if (request.path == "/readyz") {
    if (why_not.empty()) return {.body = "ready\n"};
    return {.code = 503, .reason = "Service Unavailable", .body = why_not + "\n"};
  }
  if (pages_) return pages_(request);
  return {.code = 404, .reason = "Not Found", .body = "try /metrics, /healthz or /readyz\n"};
}

}  // namespace lvrpo
