#include "reward_server/remote/http_client.h"

#include <map>

#include "common/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/remote_scorers/fake_transport.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ReadHttpAnswer, MapsCodesToStatuses) {
  const std::map<int, absl::StatusCode> cases = {
      {200, absl::StatusCode::kOk},
      {204, absl::StatusCode::kOk},
      {302, absl::StatusCode::kFailedPrecondition},
      {400, absl::StatusCode::kInvalidArgument},
      {401, absl::StatusCode::kFailedPrecondition},
      {403, absl::StatusCode::kFailedPrecondition},
      {404, absl::StatusCode::kFailedPrecondition},
      {408, absl::StatusCode::kDeadlineExceeded},
      {413, absl::StatusCode::kFailedPrecondition},
      {422, absl::StatusCode::kInvalidArgument},
      {429, absl::StatusCode::kResourceExhausted},
      {500, absl::StatusCode::kInternal},
      {502, absl::StatusCode::kUnavailable},
      {503, absl::StatusCode::kUnavailable},
      {504, absl::StatusCode::kDeadlineExceeded},
      {599, absl::StatusCode::kInternal},
      {0, absl::StatusCode::kInternal},
      {199, absl::StatusCode::kInternal},
  };
  for (const auto& [http, code] : cases) {
    const absl::Status status = ReadHttpAnswer("http://a/b", {.code = http, .body = "x"}).status();
    EXPECT_EQ(status.code(), code) << http;
    if (status.ok()) continue;
    EXPECT_THAT(std::string(status.message()), HasSubstr("http://a/b answered "));
  }
}

TEST(ReadHttpAnswer, GivesTheBody) { EXPECT_EQ(*ReadHttpAnswer("u", {.code = 200, .body = "b"}), "b"); }

TEST(ReadHttpAnswer, QuotesTheBeginningOfWhatWasSaidInOneLine) {
  const std::string body = "no\nsuch\x01model \xFF" + std::string(5000, 'x');
  const absl::Status status = ReadHttpAnswer("http://a", {.code = 404, .body = body}).status();
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("http://a answered 404: no such model \xEF\xBF\xBDxxx"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n")));
  EXPECT_LT(status.message().size(), 300u);
}

TEST(ReadHttpAnswer, SaysWhereARedirectionLeadsAndThatItIsNotFollowed) {
  const absl::Status status =
      ReadHttpAnswer("http://a", {.code = 301, .body = "", .redirect = "https://b/c"}).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("https://b/c"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("not followed"));
}

TEST(ReadHttpAnswer, CarriesWhatTheServerAsksFor) {
  const absl::Status status =
      ReadHttpAnswer("u", {.code = 429, .body = "", .retry_after = absl::Seconds(3)}).status();
  EXPECT_EQ(ErrorInfoOf(status).retry_after_seconds(), 3);
}

TEST(PrintableUrl, LeavesOutWhatMayBeSecret) {
  const std::map<std::string, std::string> cases = {
      {"http://host:1/a", "http://host:1/a"},
      {"https://user:password@host/a?key=k#f", "https://host/a"},
      {"http://a@b@host", "http://host"},
      {"http://host/a@b", "http://host/a@b"},
      {"http://host?k@x", "http://host"},
      {"host:80", "host:80"},
      {"", ""},
  };
  for (const auto& [url, printable] : cases) EXPECT_EQ(PrintableUrl(url), printable);
}

class HttpClientTest : public ::testing::Test {
 protected:
  HttpClient Client(FakeTransport::Answer answer, HttpOptions options = {}) {
    return HttpClient(std::make_unique<FakeTransport>(log_, std::move(answer)), std::move(options),
                      time_.waiting());
  }
  std::vector<std::string> Urls() const {
    std::vector<std::string> urls;
    for (const SentLog::Sent& sent : log_.sent) urls.push_back(sent.url);
    return urls;
  }
  SentLog log_;
  FakeWaiting time_;
};

TEST_F(HttpClientTest, RepeatsOnlyTheRequestsThatFailed) {
  std::map<std::string, int> tries;
  HttpClient client = Client([&](const SentLog::Sent& sent) -> absl::StatusOr<HttpAnswer> {
    const int attempt = ++tries[sent.url];
    if (sent.url == "b" && attempt == 1) return absl::UnavailableError("connection refused");
    if (sent.url == "c" && attempt <= 2)
      return HttpAnswer{.code = 429, .body = "", .retry_after = absl::Seconds(attempt)};
    if (sent.url == "d") return HttpAnswer{.code = 500, .body = "broken"};
    return HttpAnswer{.code = 200, .body = "body of " + sent.url};
  });
  const auto answers = client.Send({{.url = "a"}, {.url = "b"}, {.url = "c"}, {.url = "d"}}, {.retries = 3});
  EXPECT_THAT(Urls(), ElementsAre("a", "b", "c", "d", "b", "c", "c"));
  EXPECT_THAT(time_.waits, ElementsAre(absl::Seconds(1), absl::Seconds(2)));
  EXPECT_EQ(*answers[0], "body of a");
  EXPECT_EQ(*answers[1], "body of b");
  EXPECT_EQ(*answers[2], "body of c");
  EXPECT_EQ(answers[3].status().message(), "d answered 500: broken");
}

TEST_F(HttpClientTest, GivesTheLastFailureWhenRetriesAreOver) {
  HttpClient client = Client([](const SentLog::Sent&) { return absl::UnavailableError("refused"); });
  const auto answer = client.SendOne({.url = "http://a"}, {.retries = 2});
  EXPECT_EQ(log_.sent.size(), 3u);
  EXPECT_TRUE(absl::IsUnavailable(answer.status()));
  EXPECT_EQ(answer.status().message(), "http://a: refused");
}

TEST_F(HttpClientTest, TriesUntilItsTimeIsOverAndTellsTheTransportWhatIsLeft) {
  HttpClient client = Client([](const SentLog::Sent&) { return absl::UnavailableError("refused"); },
                             {.total = absl::Seconds(60)});
  const absl::Time start = time_.clock.Now();
  const auto answer = client.SendOne({.url = "http://a"}, {.retries = kRetryUntilDeadline});
  EXPECT_TRUE(absl::IsUnavailable(answer.status()));
  EXPECT_GT(time_.clock.Now() - start, absl::Seconds(45));
  EXPECT_LT(time_.clock.Now() - start, absl::Seconds(60));
  EXPECT_EQ(log_.options.front().total, absl::Seconds(60));
  EXPECT_EQ(log_.options.back().total, absl::Seconds(60) - (time_.clock.Now() - start));
}

TEST_F(HttpClientTest, NeverShowsTheKey) {
  HttpClient client = Client(
      [](const SentLog::Sent&) { return HttpAnswer{.code = 429, .body = "key sekret is over its quota"}; },
      {.bearer = "sekret"});
  const auto answer = client.SendOne({.url = "http://u:sekret@a"}, {.retries = 0});
  EXPECT_EQ(answer.status().message(), "http://a answered 429: key [key] is over its quota");
  EXPECT_EQ(log_.options[0].bearer, "sekret");
  HttpClient refused = Client([](const SentLog::Sent&) { return HttpAnswer{.code = 401, .body = "s-e-k"}; });
  EXPECT_THAT(std::string(refused.SendOne({.url = "http://a"}, {}).status().message()),
              Not(HasSubstr("s-e-k")));
}

}  // namespace
}  // namespace lvrpo
