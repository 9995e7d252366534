#include "reward_server/remote/http/curl_transport.h"

#include <zlib.h>

#include <algorithm>
#include <atomic>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reward_server/remote/http/http_client.h"
#include "tests/remote_scorers/fake_transport.h"
#include "tests/remote_scorers/test_http_server.h"
#include "tests/testing/fake_waiting.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Request = TestHttpServer::Request;

absl::StatusOr<HttpAnswer> SendOne(const std::string& url, HttpOptions options = {}) {
  const HttpRequest request = {.url = url, .json = {}};
  return CurlTransport().Send({&request, 1}, options)[0];
}

TEST(CurlTransport, PostsJsonWithTheKeyAndGetsWithoutABody) {
  TestHttpServer server([](const Request& request) {
    return MakeHttpAnswer(request.method == "POST" ? 201 : 200,
                          absl::StrCat(request.path, "|", request.body, "|", request.head));
  });
  CurlTransport transport;
  const std::string large(3 << 20, 'x');  // libcurl would ask first whether it may send so much
  const std::vector<HttpRequest> requests = {{.url = server.url() + "/describe", .json = {}},
                                             {.url = server.url() + "/score", .json = [] { return "{}"; }},
                                             {.url = server.url() + "/score", .json = [&] { return large; }}};
  const auto answers = transport.Send(requests, {.bearer = "sekret"});
  ASSERT_TRUE(answers[0].ok() && answers[1].ok() && answers[2].ok()) << answers[0].status();
  EXPECT_EQ(answers[0]->code, 200);
  EXPECT_THAT(answers[0]->body, HasSubstr("/describe||GET "));
  EXPECT_THAT(answers[0]->body, HasSubstr("Authorization: Bearer sekret\r\n"));
  EXPECT_EQ(answers[1]->code, 201);
  EXPECT_THAT(answers[1]->body, HasSubstr("/score|{}|POST "));
  EXPECT_THAT(answers[1]->body, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_THAT(answers[2]->body, HasSubstr(large));
  EXPECT_THAT(answers[2]->body, Not(HasSubstr("Expect")));
  const auto again = transport.Send(requests, {});  // on the same transport, without a key
  EXPECT_THAT(again[0]->body, Not(HasSubstr("Authorization")));
}

TEST(CurlTransport, GivesCodesRetryAfterAndRedirectionsAsTheyAre) {
  std::atomic<int> followed = 0;
  TestHttpServer server([&](const Request& request) {
    if (request.path == "/busy") return MakeHttpAnswer(429, "wait", "Retry-After: 7\r\n");
    if (request.path == "/moved") return MakeHttpAnswer(302, "", "Location: /there\r\n");
    if (request.path == "/file") return MakeHttpAnswer(302, "", "Location: file:///etc/passwd\r\n");
    ++followed;
    return MakeHttpAnswer(500, "oh no");
  });
  const auto busy = SendOne(server.url() + "/busy");
  ASSERT_TRUE(busy.ok()) << busy.status();
  EXPECT_EQ(busy->code, 429);
  EXPECT_EQ(busy->retry_after, absl::Seconds(7));
  const auto moved = SendOne(server.url() + "/moved");
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->code, 302);
  EXPECT_EQ(moved->redirect, server.url() + "/there");
  EXPECT_EQ(SendOne(server.url() + "/file")->code, 302);
  EXPECT_EQ(followed, 0);
  EXPECT_EQ(SendOne(server.url() + "/else")->code, 500);
}

TEST(CurlTransport, SaysWhatWentWrong) {
  TestHttpServer server([](const Request& request) -> std::string {
    if (request.path == "/nothing") return "";
    if (request.path == "/truncated") return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    return "SSH-2.0-OpenSSH_9.2\r\n";
  });
  struct Case {
    std::string url;
    absl::StatusCode code;
  };
  const Case cases[] = {
      {UrlOfNobody(), absl::StatusCode::kUnavailable},
      {server.url() + "/nothing", absl::StatusCode::kUnavailable},
      {server.url() + "/truncated", absl::StatusCode::kUnavailable},
      {server.url() + "/other_protocol", absl::StatusCode::kFailedPrecondition},
      {"http://" + std::string(64, 'x') + ".invalid", absl::StatusCode::kUnavailable},  // no name at all
      {"file:///etc/passwd", absl::StatusCode::kFailedPrecondition},
      {"http://", absl::StatusCode::kFailedPrecondition},
  };
  for (const Case& c : cases) {
    const absl::Status status = SendOne(c.url).status();
    EXPECT_EQ(status.code(), c.code) << c.url << ": " << status;
    EXPECT_NE(status.message(), "") << c.url;
  }
}

TEST(CurlTransport, StopsReadingAnswersThatAreTooLarge) {
  TestHttpServer server([](const Request& request) -> std::string {
    if (request.path == "/announced") return MakeHttpAnswer(200, std::string(1001, 'x'));
    return "HTTP/1.0 200 OK\r\n\r\n" + std::string(1 << 20, 'x');  // until it closes
  });
  for (const char* path : {"/announced", "/endless"}) {
    const absl::Status status = SendOne(server.url() + path, {.most_bytes = 1000}).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("more than 1000 bytes"));
  }
  EXPECT_EQ(SendOne(server.url() + "/announced", {.most_bytes = 1001})->body.size(), 1001u);
}

std::string Gzip(const std::string& text) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

TEST(CurlTransport, UnpacksBodies) {
  const std::string packed = Gzip(R"({"digest":"d"})");
  TestHttpServer server([&](const Request& request) -> std::string {
    if (request.path == "/content") return MakeHttpAnswer(200, packed, "Content-Encoding: gzip\r\n");
    if (request.path == "/chunked") {
      return absl::StrCat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
                          "7\r\n{\"diges\r\n7\r\nt\":\"d\"}\r\n0\r\n\r\n");
    }
    if (request.path == "/transfer") {
      return absl::StrCat("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n",
                          absl::StrFormat("%x\r\n", packed.size()), packed, "\r\n0\r\n\r\n");
    }
    if (request.path == "/bomb")
      return MakeHttpAnswer(200, Gzip(std::string(1 << 20, 'x')), "Content-Encoding: gzip\r\n");
    if (request.path == "/damaged")
      return MakeHttpAnswer(200, packed.substr(0, 8) + "nonsense", "Content-Encoding: gzip\r\n");
    return MakeHttpAnswer(200, packed, "Content-Encoding: snappy\r\n");
  });
  for (const char* path : {"/content", "/chunked", "/transfer"}) {
    const auto answer = SendOne(server.url() + path);
    ASSERT_TRUE(answer.ok()) << path << ": " << answer.status();
    EXPECT_EQ(answer->body, R"({"digest":"d"})") << path;
  }
  // Bounds are of what comes out.
  EXPECT_THAT(std::string(SendOne(server.url() + "/bomb", {.most_bytes = 1000}).status().message()),
              HasSubstr("more than 1000 bytes"));
  for (const char* path : {"/damaged", "/unknown"}) {
    const absl::Status status = SendOne(server.url() + path).status();
    EXPECT_FALSE(status.ok()) << path;
    EXPECT_THAT(std::string(status.message()), HasSubstr("ncod")) << path;
  }
}

TEST(CurlTransport, GivesUpOnServersThatDoNotAnswerInTime) {
  absl::Notification end;
  TestHttpServer server([&](const Request&) {
    end.WaitForNotification();
    return MakeHttpAnswer(200, "late");
  });
  const absl::Status slow = SendOne(server.url(), {.timeout = absl::Milliseconds(300)}).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(slow)) << slow;
  // The second waits for its turn until there is no time left.
  const std::vector<HttpRequest> two(2, {.url = server.url(), .json = {}});
  const auto answers = CurlTransport().Send(
      two, {.concurrency = 1, .timeout = absl::Seconds(100), .total = absl::Milliseconds(300)});
  EXPECT_TRUE(absl::IsDeadlineExceeded(answers[0].status())) << answers[0].status();
  EXPECT_EQ(answers[1].status(), absl::DeadlineExceededError("no time was left to send it"));
  end.Notify();
}

TEST(CurlTransport, ConnectionsThatAreNotMadeInTimeMayBeTriedAgain) {
  const UnansweredListener listener;
  const absl::Status status = SendOne(listener.url(), {.timeout = absl::Milliseconds(50)}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

// Handlers wait for each other three by three: fewer at once would hang, more would be seen.
TEST(CurlTransport, SendsAsManyAtOnceAsItMay) {
  constexpr int kAtOnce = 3, kRounds = 4;
  absl::Mutex mutex;
  int inside = 0, most = 0, arrived = 0;
  TestHttpServer server([&](const Request& request) {
    absl::MutexLock lock(&mutex);
    most = std::max(most, ++inside);
    const int round_end = (arrived++ / kAtOnce + 1) * kAtOnce;
    const auto all_here = [&arrived, round_end] { return arrived >= round_end; };
    mutex.Await(absl::Condition(&all_here));
    --inside;
    return MakeHttpAnswer(200, request.path);
  });
  std::vector<HttpRequest> requests;
  for (int i = 0; i < kAtOnce * kRounds; ++i)
    requests.push_back({.url = absl::StrCat(server.url(), "/", i), .json = {}});
  const auto answers = CurlTransport().Send(requests, {.concurrency = kAtOnce});
  for (size_t i = 0; i < answers.size(); ++i) {
    ASSERT_TRUE(answers[i].ok()) << answers[i].status();
    EXPECT_EQ(answers[i]->body, absl::StrCat("/", i));  // in order
  }
  EXPECT_EQ(most, kAtOnce);
}

TEST(CurlTransport, WithTheClientASecondTryAfter429Succeeds) {
  std::atomic<int> tries = 0;
  TestHttpServer server([&](const Request&) {
    if (++tries == 1) return MakeHttpAnswer(429, "busy", "Retry-After: 3\r\n");
    return MakeHttpAnswer(200, "done");
  });
  FakeWaiting time;
  HttpClient client(std::make_unique<CurlTransport>(), {}, time.waiting());
  const auto answer = client.SendOne({.url = server.url(), .json = {}}, {});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, "done");
  EXPECT_THAT(time.waits, ::testing::ElementsAre(absl::Seconds(3)));
}

}  // namespace
}  // namespace lvrpo
