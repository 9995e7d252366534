#include "reward_server/remote/http/http_client.h"

#include <map>

#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/remote_scorers/fake_transport.h"
#include "tests/testing/fake_waiting.h"

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
      {500, absl::StatusCode::kDataLoss},
      {502, absl::StatusCode::kUnavailable},
      {503, absl::StatusCode::kUnavailable},
      {504, absl::StatusCode::kDeadlineExceeded},
      {519, absl::StatusCode::kDataLoss},
      {520, absl::StatusCode::kUnavailable},
      {521, absl::StatusCode::kUnavailable},
      {522, absl::StatusCode::kUnavailable},
      {523, absl::StatusCode::kUnavailable},
      {524, absl::StatusCode::kUnavailable},
      {525, absl::StatusCode::kDataLoss},
      {529, absl::StatusCode::kUnavailable},
      {599, absl::StatusCode::kDataLoss},
      {0, absl::StatusCode::kDataLoss},
      {199, absl::StatusCode::kDataLoss},
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

TEST(ReadHttpAnswer, AnErrorInAGoodAnswerCountsAsItsCode) {
  struct Case {
    const char* body;
    absl::StatusCode code;
    const char* says;
  };
  const Case cases[] = {
      {R"({"error":{"message":"Provider returned error","code":502}})", absl::StatusCode::kUnavailable,
       "http://a answered 200 with the error 502: Provider returned error"},
      {R"({"error":{"message":"slow down","code":429}})", absl::StatusCode::kResourceExhausted,
       "http://a answered 200 with the error 429: slow down"},
      {R"({"error":{"message":"no such model","code":404}})", absl::StatusCode::kFailedPrecondition,
       "http://a answered 200 with the error 404: no such model"},
      {R"({"error":{"code":401}})", absl::StatusCode::kFailedPrecondition,
       "http://a answered 200 with the error 401: it wants a key, or another one: "
       "{\"error\":{\"code\":401}}"},
      {R"({"error":"it broke"})", absl::StatusCode::kDataLoss,
       "http://a answered 200 with an error: it broke"},
  };
  for (const Case& c : cases) {
    const absl::Status status = ReadHttpAnswer("http://a", {.code = 200, .body = c.body}).status();
    EXPECT_EQ(status.code(), c.code) << status;
    EXPECT_EQ(status.message(), c.says);
  }
}

TEST(ReadHttpAnswer, MarksWhatWillBeRefusedAgain) {
  for (const int code : {301, 400, 401, 403, 404, 405, 410, 413})
    EXPECT_EQ(ErrorInfoOf(ReadHttpAnswer("u", {.code = code}).status()).reason(), v1::REFUSAL_BY_SCORER)
        << code;
  for (const int code : {408, 422, 429, 500, 502, 503, 504, 529})
    EXPECT_EQ(ErrorInfoOf(ReadHttpAnswer("u", {.code = code}).status()).reason(), v1::REFUSAL_UNSPECIFIED)
        << code;
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
  HttpClient refused = Client(
      [](const SentLog::Sent&) {
        return HttpAnswer{.code = 401, .body = R"({"error": "Incorrect API key provided: sk-abc***xyz"})"};
      },
      {.bearer = "sk-abcdefghxyz"});
  EXPECT_EQ(refused.SendOne({.url = "http://a?key=0123456789"}, {}).status().message(),
            "http://a answered 401: it wants a key, or another one: {\"error\": \"Incorrect API key "
            "provided: [key]\"}");
  EXPECT_EQ(
      refused.Refused(absl::InternalError("no list"), "http://a?key=0123456789", "k 0123456789 sk-abcdefgh")
          .message(),
      "no list; it answered: k [key] [key]");
}

TEST_F(HttpClientTest, RefusalsOfAnswersKeepTheirCode) {
  HttpClient client = Client([](const SentLog::Sent&) { return HttpAnswer{}; });
  const absl::Status status = client.Refused(absl::FailedPreconditionError("changed"), "http://a", "");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "changed");
  EXPECT_EQ(ErrorInfoOf(status).reason(), v1::REFUSAL_BAD_ANSWER);
}

TEST_F(HttpClientTest, RepeatsWhatAGatewayPassesOn) {
  for (const HttpAnswer& first :
       {HttpAnswer{.code = 529, .body = "overloaded"}, HttpAnswer{.code = 522, .body = "<html>"},
        HttpAnswer{.code = 200, .body = R"({"error": {"code": 502, "message": "Provider returned error"}})"},
        HttpAnswer{.code = 200, .body = R"({"choices": [{"error": {"code": 503}}]})"}}) {
    int tries = 0;
    HttpClient client = Client([&](const SentLog::Sent&) {
      return ++tries == 1 ? first : HttpAnswer{.code = 200, .body = R"({"choices": []})"};
    });
    const auto answer = client.SendOne({.url = "http://a"}, {});
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(tries, 2);
  }
}

}  // namespace
}  // namespace lvrpo
