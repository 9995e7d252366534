#include "common/telemetry/metrics.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/net/host_port.h"
#include "common/version.h"
#include "common/version/build_commit.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A connection to a server on loopback.
class Client {
 public:
  explicit Client(const std::string& address) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    sockaddr_in where = {};
    where.sin_family = AF_INET;
    where.sin_port = htons(static_cast<uint16_t>(port));
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof(where)), 0);
  }
  ~Client() { close(fd_); }

  void Send(const std::string& bytes) { (void)send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  // What the server answers until it closes.
  std::string Receive() {
    std::string answer;
    char buffer[4096];
    for (ssize_t got; (got = recv(fd_, buffer, sizeof(buffer), 0)) > 0;) {
      answer.append(buffer, static_cast<size_t>(got));
    }
    return answer;
  }
  // Whether the server answers or closes within `timeout`.
  bool Hears(absl::Duration timeout) {
    pollfd wait = {.fd = fd_, .events = POLLIN, .revents = 0};
    return poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) > 0;
  }

 private:
  const int fd_;
};

std::string Get(const MetricsServer& server, const std::string& path) {
  Client client(server.address());
  client.Send("GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n");
  return client.Receive();
}

TEST(Metrics, RenderAndServe) {
  Metrics metrics;
  metrics.Counter("lvrpo_rollout_groups_total", {{"outcome", "a\"b"}}).Increment(3);
  metrics.Seconds("lvrpo_rollout_weight_seconds").Observe(0.5);
  EXPECT_THAT(metrics.Render(), AllOf(HasSubstr("lvrpo_rollout_groups_total{outcome=\"a\\\"b\"} 3"),
                                      HasSubstr("lvrpo_rollout_weight_seconds_bucket{le=\"3600\"} 1"),
                                      HasSubstr("lvrpo_rollout_weight_seconds_count 1")));
  EXPECT_TRUE(MetricsServer::Start("127.0.0.1:0", metrics, [] { return ""; }).ok());
  EXPECT_FALSE(MetricsServer::Start("nonsense", metrics, [] { return ""; }).ok());
}

TEST(Metrics, SayWhatRuns) {
  EXPECT_THAT(Metrics("learner").Render(),
              HasSubstr(absl::StrCat("lvrpo_build_info{commit=\"", BuildCommit(),
                                     "\",role=\"learner\",version=\"", kVersion, "\"} 1\n")));
}

TEST(Metrics, AreThoseOfTheCatalogueOnly) {
  Metrics metrics;
  EXPECT_THROW(metrics.Counter("lvrpo_rollout_nothing_total"), std::logic_error);
  EXPECT_THROW(metrics.Gauge("lvrpo_rollout_samples_total"), std::logic_error);   // its type
  EXPECT_THROW(metrics.Counter("lvrpo_rollout_groups_total"), std::logic_error);  // its labels
  EXPECT_THROW(metrics.Counter("lvrpo_rollout_groups_total", {{"o", ""}}), std::logic_error);
}

TEST(Metrics, CountersOfTheRoleAreThereFromTheStart) {
  const std::string page = Metrics("rollout").Render();
  EXPECT_THAT(page, AllOf(HasSubstr("lvrpo_rollout_samples_total 0\n"),
                          HasSubstr("lvrpo_rollout_weight_broadcasts_total{outcome=\"failed\"} 0\n"),
                          Not(HasSubstr("lvrpo_learner_"))));
}

TEST(Metrics, EverySeriesHasTheRunOnceItIsKnown) {
  Metrics metrics("learner");
  metrics.Gauge("lvrpo_learner_step_value", {{"name", "reward"}}).Set(1);
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("run=")));
  metrics.SetRun("r1");
  const std::string page = metrics.Render();
  EXPECT_THAT(page, AllOf(HasSubstr("lvrpo_learner_step_value{name=\"reward\",run=\"r1\"} 1\n"),
                          HasSubstr("lvrpo_learner_steps_total{run=\"r1\"} 0\n")));
  for (absl::string_view line : absl::StrSplit(page, '\n', absl::SkipEmpty())) {
    if (line[0] == '#') continue;
    EXPECT_THAT(std::string(line), HasSubstr("run=\"r1\""));
  }
}

double ValueOf(const std::string& page, const std::string& name) {
  const size_t at = page.find(absl::StrCat("\n", name, " "));
  double value = -1;
  return at != std::string::npos &&
                 absl::SimpleAtod(
                     page.substr(at + name.size() + 2, page.find('\n', at + 1) - at - name.size() - 2),
                     &value)
             ? value
             : -1;
}

TEST(Metrics, OfThisProcessAndItsDisk) {
  Metrics metrics("learner");
  metrics.WatchDisk("run", testing::TempDir());
  metrics.WatchDisk("run", "/there/is/no/such/folder");  // leaves what is known
  const std::string page = metrics.Render();
  EXPECT_GT(ValueOf(page, "process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(ValueOf(page, "process_open_fds"), 2);
  EXPECT_GT(ValueOf(page, "process_max_fds"), ValueOf(page, "process_open_fds"));
  EXPECT_GE(ValueOf(page, "process_cpu_seconds_total"), 0);
  EXPECT_NEAR(ValueOf(page, "process_start_time_seconds"),
              absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()), 600);
  EXPECT_GT(ValueOf(page, "lvrpo_disk_size_bytes{place=\"run\"}"),
            ValueOf(page, "lvrpo_disk_free_bytes{place=\"run\"}"));
}

TEST(MetricsServer, AnswersWhatIsAsked) {
  Metrics metrics("coordinator");
  const auto server = MetricsServer::Start("127.0.0.1:0", metrics, [] { return ""; });
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT(Get(**server, "/metrics"),
              AllOf(StartsWith("HTTP/1.0 200"), HasSubstr("text/plain; version=0.0.4"),
                    HasSubstr("lvrpo_build_info")));
  EXPECT_THAT(Get(**server, "/healthz"), StartsWith("HTTP/1.0 200"));
  EXPECT_THAT(Get(**server, "/nothing"), StartsWith("HTTP/1.0 404"));
  Client poster((*server)->address());
  poster.Send("POST /metrics HTTP/1.1\r\n\r\n");
  EXPECT_THAT(poster.Receive(), StartsWith("HTTP/1.0 405"));
}

TEST(MetricsServer, ServesPagesBesideItsOwnPaths) {
  Metrics metrics;
  PageRequest asked;
  const auto server = MetricsServer::Start(
      "127.0.0.1:0", metrics, [] { return ""; }, absl::Seconds(2),
      [&](const PageRequest& request) {
        asked = request;
        return PageAnswer{.type = "text/html", .body = "page", .headers = "X-A: b\r\n"};
      });
  ASSERT_TRUE(server.ok()) << server.status();
  Client client((*server)->address());
  client.Send("GET /images/a.png?b=/../c HTTP/1.1\r\nAccept: */*\r\nhOST:  me:1 \r\n\r\n");
  EXPECT_THAT(client.Receive(), AllOf(HasSubstr("\r\nX-A: b\r\n"), ::testing::EndsWith("\r\n\r\npage")));
  EXPECT_EQ(asked.path, "/images/a.png");
  EXPECT_EQ(asked.host, "me:1");
  EXPECT_TRUE(asked.from_loopback);
  EXPECT_THAT(Get(**server, "/healthz"), HasSubstr("alive"));
  Client head((*server)->address());
  head.Send("HEAD / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(head.Receive(), AllOf(HasSubstr("Content-Length: 4\r\n"), ::testing::EndsWith("\r\n\r\n")));
  for (const char* odd : {"GET", "GET ", "GET  ", "HEAD\r\n", "GET /\r\nHost", "\r\n\r\n"}) {
    Client strange((*server)->address());
    strange.Send(std::string(odd) + "\r\n\r\n");
    EXPECT_THAT(strange.Receive(), StartsWith("HTTP/1.0 ")) << odd;
  }
}

TEST(MetricsServer, IsNotReadyUntilThereIsNoReasonLeft) {
  Metrics metrics;
  absl::Mutex mutex;
  std::string reason = "loading weights";
  const auto server = MetricsServer::Start("127.0.0.1:0", metrics, [&] {
    absl::MutexLock lock(&mutex);
    return reason;
  });
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT(Get(**server, "/readyz"),
              AllOf(StartsWith("HTTP/1.0 503"), HasSubstr("\r\n\r\nloading weights\n")));
  EXPECT_THAT(Get(**server, "/healthz"), StartsWith("HTTP/1.0 200"));  // alive all the same
  {
    absl::MutexLock lock(&mutex);
    reason = "";
  }
  EXPECT_THAT(Get(**server, "/readyz"), StartsWith("HTTP/1.0 200"));
}

TEST(MetricsServer, AClientThatDawdlesKeepsNobodyWaiting) {
  Metrics metrics;
  const auto server = MetricsServer::Start(
      "127.0.0.1:0", metrics, [] { return ""; }, absl::Milliseconds(250));
  ASSERT_TRUE(server.ok()) << server.status();
  Client slow((*server)->address()), next((*server)->address());
  next.Send("GET /healthz HTTP/1.0\r\n\r\n");
  // A byte every few milliseconds: each comes in time, the request never ends.
  int bytes = 0;
  do {
    slow.Send("G");
  } while (!slow.Hears(absl::Milliseconds(5)) && ++bytes < 2000);
  EXPECT_LT(bytes, 2000);
  EXPECT_EQ(slow.Receive(), "");  // dropped
  EXPECT_THAT(next.Receive(), StartsWith("HTTP/1.0 200"));
}

TEST(MetricsServer, SilentClientsHoldNobodyUpHoweverMany) {
  Metrics metrics;
  const auto server = MetricsServer::Start(
      "127.0.0.1:0", metrics, [] { return ""; }, absl::Hours(1));
  ASSERT_TRUE(server.ok()) << server.status();
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(std::make_unique<Client>((*server)->address()));
  EXPECT_THAT(Get(**server, "/healthz"), StartsWith("HTTP/1.0 200"));
  // The oldest made room; the newest are still served.
  EXPECT_EQ(silent.front()->Receive(), "");
  silent.back()->Send("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_THAT(silent.back()->Receive(), StartsWith("HTTP/1.0 200"));
}

TEST(MetricsServer, ListensWhereItWasTold) {
  Metrics metrics;
  for (const char* address : {"[::1]:0", "localhost:0", "0.0.0.0:0", "[::]:0"}) {
    const auto server = MetricsServer::Start(address, metrics, nullptr);
    ASSERT_TRUE(server.ok()) << server.status();
    const absl::StatusOr<HostPort> told = ParseHostPort((*server)->address(), AddressUse::kListen);
    ASSERT_TRUE(told.ok()) << told.status();
    EXPECT_EQ(told->host, ParseHostPort(address, AddressUse::kListen)->host);
    EXPECT_GT(told->port, 0);
    const auto second = MetricsServer::Start((*server)->address(), metrics, nullptr);
    EXPECT_TRUE(absl::IsUnavailable(second.status())) << second.status();
  }
  for (const char* address : {"", "9090", ":9090", "::1:9090", "127.0.0.1:65536", "127.0.0.1:-1", "*:9090"})
    EXPECT_TRUE(absl::IsInvalidArgument(MetricsServer::Start(address, metrics, nullptr).status())) << address;
  for (const char* address : {"192.0.2.1:0", "[2001:db8::1]:0", "no-such-host.invalid:0"}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(MetricsServer::Start(address, metrics, nullptr).status()))
        << address;
  }
}

TEST(MetricsServer, DropsWhatIsTooLong) {
  Metrics metrics;
  const auto server = MetricsServer::Start("127.0.0.1:0", metrics, [] { return ""; });
  ASSERT_TRUE(server.ok()) << server.status();
  Client client((*server)->address());
  client.Send("GET /" + std::string(20000, 'a'));
  EXPECT_EQ(client.Receive(), "");
  EXPECT_THAT(Get(**server, "/healthz"), StartsWith("HTTP/1.0 200"));
}

TEST(MetricsServer, StopsAtOnceWhileAClientDawdles) {
  Metrics metrics;
  auto server = MetricsServer::Start(
      "127.0.0.1:0", metrics, [] { return ""; }, absl::Hours(1));
  ASSERT_TRUE(server.ok()) << server.status();
  Client client((*server)->address());
  client.Send("GET");
  server->reset();
  EXPECT_EQ(client.Receive(), "");
}

}  // namespace
}  // namespace lvrpo
