#include "reward_server/remote/json_scorer.h"

#include <atomic>
#include <cmath>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/net/rpc.h"
#include "data/image/png.h"
#include "data/prompts/prompts.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "reward_server/remote/external_scorer.h"
#include "tests/remote_scorers/fake_transport.h"
#include "tests/remote_scorers/groups.h"
#include "tests/remote_scorers/test_http_server.h"
#include "tests/testing/fake_waiting.h"

namespace lvrpo {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(ScoreRequestJson, HoldsThePromptRecordAndTheSamples) {
  ScoringGroup group = ImageGroup(2);
  group.prompt.add_key_phrases("a red circle");
  const json request = json::parse(ScoreRequestJson(*MakeScoreSamplesRequest(group)));
  EXPECT_EQ(request["prompt"]["task"], "TASK_KIND_IMAGE");
  EXPECT_EQ(request["prompt"]["key_phrases"][0], "a red circle");
  const auto record = PromptFromJson(request["prompt"].dump());  // as in prompt files
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->SerializeAsString(), group.prompt.SerializeAsString());
  ASSERT_EQ(request["samples"].size(), 2u);
  std::string png;
  ASSERT_TRUE(absl::Base64Unescape(request["samples"][1]["png"].get<std::string>(), &png));
  EXPECT_EQ(DecodePng(png)->pixels, group.images[1].pixels);
  EXPECT_FALSE(request["samples"][1].contains("text"));

  const json texts = json::parse(ScoreRequestJson(*MakeScoreSamplesRequest(TextGroup({"a\"b", ""}))));
  EXPECT_EQ(texts["samples"], json::parse(R"([{"text": "a\"b"}, {"text": ""}])"));
}

TEST(ReadScoresJson, ReadsScores) {
  const auto response = ReadScoresJson(
      R"({"digest": "w/1", "scores": [{"value": 0.25, "detail": "x"}, {"value": 1, "more": [1]}], "more": {}})",
      2);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->digest(), "w/1");
  ASSERT_EQ(response->scores_size(), 2);
  EXPECT_EQ(response->scores(0).value(), .25f);
  EXPECT_EQ(response->scores(0).detail(), "x");
  EXPECT_EQ(response->scores(1).value(), 1);
}

TEST(ReadScoresJson, TakesSpellingsThatMeanTheSame) {
  const std::pair<const char*, float> cases[] = {
      {R"({"value": 0.5})", .5f},
      {R"({"value": 5e-1, "detail": null})", .5f},
      {R"({"value": "0.5"})", .5f},
      {"0.5", .5f},
      {"\"0.5\"", .5f},
      {R"({"value": 1.0000001})", 1},
      {R"({"value": -1e-9})", 0},
      {R"({"value": -0.0})", 0},
  };
  for (const auto& [score, value] : cases) {
    const auto response = ReadScoresJson(absl::StrCat(R"({"digest": "d", "scores": [)", score, "]}"), 1);
    ASSERT_TRUE(response.ok()) << score << response.status();
    EXPECT_EQ(response->scores(0).value(), value) << score;
    EXPECT_FALSE(std::signbit(response->scores(0).value())) << score;
  }
}

TEST(ReadScoresJson, RefusesEverythingElse) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "its answer is empty"},
      {"<html>", "not JSON at byte 1"},
      {"[]", "no JSON object"},
      {"null", "no JSON object"},
      {"{}", "no \"digest\""},
      {R"({"digest": 1, "scores": []})", "\"digest\" is no string"},
      {R"({"digest": "d"})", "no \"scores\""},
      {R"({"digest": "d", "scores": {}})", "\"scores\" is no list"},
      {R"({"digest": "d", "scores": []})", "\"scores\" has 0 entries for 1 that were sent"},
      {R"({"digest": "d", "scores": [1, 1]})", "\"scores\" has 2 entries for 1 that were sent"},
      {R"({"digest": "d", "scores": [[0.5]]})", "scores[0]: \"value\" is no number"},
      {R"({"digest": "d", "scores": [null]})", "scores[0]: \"value\" is no number"},
      {R"({"digest": "d", "scores": [{}]})", "scores[0]: its answer has no \"value\""},  // no made-up 0
      {R"({"digest": "d", "scores": [{"score": 1}]})", "scores[0]: its answer has no \"value\""},
      {R"({"digest": "d", "scores": [{"value": null}]})", "\"value\" is no number"},
      {R"({"digest": "d", "scores": [{"value": "high"}]})", "\"value\" is no number"},
      {R"({"digest": "d", "scores": [{"value": true}]})", "\"value\" is no number"},
      {R"({"digest": "d", "scores": [{"value": NaN}]})", "\"value\" is nan; it must be 0 to 1"},
      {R"({"digest": "d", "scores": [{"value": 1e999}]})", "\"value\" is inf; it must be 0 to 1"},
      {R"({"digest": "d", "scores": [{"value": 1.01}]})", "is 1.01; it must be 0 to 1"},
      {R"({"digest": "d", "scores": [{"value": 1.0000234}]})", "is 1.0000234; it must be 0 to 1"},
      {R"({"digest": "d", "scores": [{"value": -0.00012}]})", "is -0.00012; it must be 0 to 1"},
      {R"({"digest": "d", "scores": [{"value": 71}]})", "is 71; it must be 0 to 1"},
      {R"({"digest": "d", "scores": [{"value": 1, "detail": 3}]})", "\"detail\" is no string"},
      {R"({"digest": "d", "scores": [{"value": 1)", "not JSON"},
      {R"({"digest": "d", "scores": ["0x1"]})", "\"value\" is no number"},
      {R"({"digest": "d", "scores": ["0x1p-1"]})", "\"value\" is no number"},
      {R"({"digest": "d", "scores": [" 0.5"]})", "\"value\" is no number"},
      {R"({"digest": "d", "scores": ["nan1"]})", "\"value\" is no number"},
      {R"({"digest": "d", "scores": [{"value": 0.1, "value": 0.9}]})", "\"value\" is given twice"},
      {R"({"digest": "d", "scores": [0.1], "scores": [0.9]})", "\"scores\" is given twice"},
      {R"({"digest": "d", "scores": [0.1], "scores": [NaN]})", "\"scores\" is given twice"},
      {std::string(100000, '['), "nested deeper"},
      {std::string((16 << 20) + 1, ' '), "bytes"},
  };
  for (const auto& [text, says] : cases) {
    const absl::Status status = ReadScoresJson(text, 1).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << text.substr(0, 80) << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(says)) << text.substr(0, 80);
  }
}

v1::ExternalScorerConfig Config(const std::string& address) {
  v1::ExternalScorerConfig config;
  config.set_name("mine");
  config.set_address(address);
  config.set_task("both");
  return config;
}

TEST(JsonScorer, ScoresOverHttp) {
  TestHttpServer server([](const TestHttpServer::Request& request) {
    if (request.head.rfind("GET /base/describe ", 0) == 0) return MakeHttpAnswer(200, R"({"digest": "w/1"})");
    if (request.head.rfind("POST /base/score ", 0) != 0) return MakeHttpAnswer(404, request.head);
    json answer = {{"digest", "w/1"}, {"scores", json::array()}};
    const json body = json::parse(request.body);
    for (const json& sample : body["samples"])
      answer["scores"].push_back({{"value", sample["text"].get<std::string>().size() / 10.0}});
    return MakeHttpAnswer(200, answer.dump());
  });
  const auto scorer = ExternalScorer::Create(Config(server.url() + "/base/"), LinkOptions());
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  EXPECT_EQ((*scorer)->digest(), "external/mine/w/1");
  const auto scores = (*scorer)->ScoreGroup(TextGroup({"four", ""}));
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_FLOAT_EQ((*scores)[0].value, .4f);
  EXPECT_FLOAT_EQ((*scores)[1].value, 0);
}

TEST(JsonScorer, AddressesMayHaveAQuery) {
  std::string asked;
  TestHttpServer server([&](const TestHttpServer::Request& request) {
    asked = request.path;
    return MakeHttpAnswer(
        200, request.method == "GET" ? R"({"digest": "w/1"})" : R"({"digest": "w/1", "scores": [0.5]})");
  });
  const auto scorer = ExternalScorer::Create(Config(server.url() + "/a/?token=t1#x"), LinkOptions());
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  EXPECT_EQ(asked, "/a/describe?token=t1");
  ASSERT_TRUE((*scorer)->ScoreGroup(TextGroup({"a"})).ok());
  EXPECT_EQ(asked, "/a/score?token=t1");
}

TEST(JsonScorer, ShowsTheBeginningOfAnAnswerThatIsNone) {
  std::string described = R"({"digest": "w/1"})", scored;
  TestHttpServer server([&](const TestHttpServer::Request& request) {
    return MakeHttpAnswer(200, request.method == "GET" ? described : scored);
  });
  const auto scorer = ExternalScorer::Create(Config(server.url()), LinkOptions());
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  const std::pair<const char*, const char*> cases[] = {
      {"<html>log in</html>", "it is not JSON at byte 1; it answered: <html>log in</html>"},
      {R"({"digest": "w/1", "scores": [1, 1]})",
       "for 1 that were sent; it answered: {\"digest\": \"w/1\", \"scores\""},
      {R"({"digest": "w/1", "scores": [7]})", "\"value\" is 7; it must be 0 to 1; it answered: {"},
  };
  for (const auto& [body, says] : cases) {
    scored = body;
    const absl::Status status = (*scorer)->ScoreGroup(TextGroup({"a"})).status();
    EXPECT_THAT(std::string(status.message()), HasSubstr(says));
    EXPECT_EQ(ErrorInfoOf(status).reason(), v1::REFUSAL_BAD_ANSWER);
  }
  described = "welcome";
  EXPECT_THAT(std::string(ExternalScorer::Create(Config(server.url()), LinkOptions()).status().message()),
              HasSubstr("it answered: welcome"));
}

TEST(JsonScorer, WaitsForAServerThatIsStillStarting) {
  std::atomic<int> asked = 0;
  TestHttpServer server([&](const TestHttpServer::Request&) {
    return ++asked < 8 ? MakeHttpAnswer(503, "loading") : MakeHttpAnswer(200, R"({"digest": "w/1"})");
  });
  FakeWaiting time;
  const auto scorer =
      ExternalScorer::Create(Config(server.url()), {.deadline = absl::Minutes(5), .waiting = time.waiting()});
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  EXPECT_EQ(time.waits.size(), 7u);
}

TEST(JsonScorer, CreationFailsWhenNobodyIsThere) {
  const std::string url = UrlOfNobody();
  FakeWaiting time;
  v1::ExternalScorerConfig config = Config(url);
  config.set_timeout_seconds(30);
  const absl::Time start = time.clock.Now();
  const absl::Status status =
      ExternalScorer::Create(config, {.deadline = absl::Hours(1), .waiting = time.waiting()}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("external scorer 'mine' at " + url));
  EXPECT_LE(time.clock.Now() - start, absl::Seconds(30));
  EXPECT_GT(time.clock.Now() - start, absl::Seconds(15));
}

TEST(JsonScorer, ErrorsOfTheServerNameWhatItSaid) {
  std::atomic<int> code = 400;
  TestHttpServer server([&](const TestHttpServer::Request& request) {
    if (request.method == "GET") return MakeHttpAnswer(200, R"({"digest": "w/1"})");
    return MakeHttpAnswer(code, "no face in it");
  });
  FakeWaiting time;
  const auto scorer = ExternalScorer::Create(Config(server.url()), {.waiting = time.waiting()});
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  const absl::Status invalid = (*scorer)->ScoreGroup(TextGroup({"a"})).status();
  EXPECT_TRUE(absl::IsInvalidArgument(invalid)) << invalid;
  EXPECT_THAT(std::string(invalid.message()), HasSubstr("answered 400: no face in it"));
  code = 500;
  EXPECT_TRUE(absl::IsDataLoss((*scorer)->ScoreGroup(TextGroup({"a"})).status()));
  EXPECT_TRUE(time.waits.empty());
  code = 503;
  EXPECT_TRUE(absl::IsUnavailable((*scorer)->ScoreGroup(TextGroup({"a"})).status()));
  EXPECT_EQ(time.waits.size(), 3u);
}

}  // namespace
}  // namespace lvrpo
