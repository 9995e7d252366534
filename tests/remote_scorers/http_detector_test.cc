#include "reward_server/remote/http_detector.h"

#include "absl/strings/escaping.h"
#include "data/image/png.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/remote_scorers/fake_transport.h"
#include "tests/remote_scorers/groups.h"
#include "tests/remote_scorers/test_http_server.h"
#include "tests/testing/fake_waiting.h"

namespace lvrpo {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(ReadDescription, ReadsDigestAndThresholds) {
  const auto plain = ReadDescription(R"({"digest": "yolo/8x"})");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->digest, "yolo/8x");
  EXPECT_EQ(plain->thresholds.score, DetectionThresholds().score);
  EXPECT_EQ(plain->thresholds.counting_score, DetectionThresholds().counting_score);
  const auto full = ReadDescription(R"({"digest": "d", "thresholds": {"score": 0.2, "counting_score": 1}})");
  ASSERT_TRUE(full.ok()) << full.status();
  EXPECT_EQ(full->thresholds.score, .2);
  EXPECT_EQ(full->thresholds.counting_score, 1);
}

TEST(ReadDescription, RefusesEverythingElse) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "its answer is empty"},
      {"[]", "no JSON object"},
      {"<html>", "not JSON"},
      {"null", "no JSON object"},
      {R"({"digest": 5})", "\"digest\" is no string"},
      {R"({"digest": "a", "digest": "b"})", "\"digest\" is given twice"},
      {"{}", "no \"digest\""},
      {R"({"digest": ""})", "its digest \"\" is not"},
      {R"({"digest": "a\nb"})", "its digest \"a\\nb\" is not"},
      {R"({"digest": "d", "thresholds": 3})", "\"thresholds\""},
      {R"({"digest": "d", "thresholds": {"score": 2}})", "\"score\" is 2; it must be 0 to 1"},
      {R"({"digest": "d", "thresholds": {"counting_score": "x"}})", "\"counting_score\" is no number"},
  };
  for (const auto& [text, says] : cases) {
    const absl::Status status = ReadDescription(text).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(says));
  }
}

constexpr char kBench[] = R"({"class": "bench", "score": 0.9, "box": [0, 0, 2, 2], "color": "red"})";

std::string Answer(const std::string& images) { return R"({"digest": "d", "images": [)" + images + "]}"; }
std::string Image(const std::string& objects) {
  return R"({"width": 4, "height": 3, "objects": [)" + objects + "]}";
}

TEST(ReadDetectionsJson, GivesTheObjectsOfTheClassesAskedFor) {
  const std::string dog = R"({"class": "dog", "score": 1, "box": [0, 0, 1, 1]})";
  const auto found = ReadDetectionsJson(Answer(Image(dog + "," + kBench) + "," + Image("")), {{4, 3}, {4, 3}},
                                        {"bench", "cat"}, "d");
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->size(), 2u);
  ASSERT_EQ((*found)[0].size(), 1u);
  EXPECT_EQ((*found)[0][0].class_name, "bench");
  EXPECT_EQ((*found)[0][0].color, "red");
  EXPECT_EQ((*found)[0][0].x1, 2);
  EXPECT_TRUE((*found)[1].empty());
}

TEST(ReadDetectionsJson, TakesSpellingsThatMeanTheSame) {
  for (const char* object :
       {R"({"class": "Traffic Light", "score": 0.5, "box": [0, 0, 2, 2], "color": "Red"})",
        R"({"class": "traffic_light", "score": 0.5, "box": [0, 0, 2, 2], "color": "red"})",
        R"({"class": "traffic-light ", "score": "0.5", "box": ["0", 0, 2.0, 2], "color": " red"})",
        R"({"class": "TRAFFIC  LIGHT", "score": 0.5, "box": [0, 0, 2, 2], "color": "RED", "id": null})"}) {
    const auto found = ReadDetectionsJson(Answer(Image(object)), {{4, 3}}, {"bench", "traffic light"}, "d");
    ASSERT_TRUE(found.ok()) << object << found.status();
    ASSERT_EQ((*found)[0].size(), 1u) << object;
    EXPECT_EQ((*found)[0][0].class_name, "traffic light");
    EXPECT_EQ((*found)[0][0].color, "red");
    EXPECT_EQ((*found)[0][0].score, .5);
  }
  const auto rounded = ReadDetectionsJson(
      Answer(Image(R"({"class": "bench", "score": 1.0000001, "box": [0, 0, 2, 2], "color": null})")),
      {{4, 3}}, {"bench"}, "d");
  ASSERT_TRUE(rounded.ok()) << rounded.status();
  EXPECT_EQ((*rounded)[0][0].score, 1);
  EXPECT_EQ((*rounded)[0][0].color, "");
  EXPECT_TRUE(
      ReadDetectionsJson(Answer(R"({"width": "4", "height": 3.0, "objects": []})"), {{4, 3}}, {}, "d").ok());
}

TEST(ReadDetectionsJson, BoxesInSharesOfTheImageAreNoBoxes) {
  const auto read = [](const std::string& box) {
    return ReadDetectionsJson(
        Answer(R"({"width": 64, "height": 48, "objects": [{"class": "dog", "score": 1, "box": )" + box +
               "}]}"),
        {{64, 48}}, {"bench"}, "d");
  };
  for (const char* box : {"[0.1, 0.2, 0.5, 0.9]", "[0, 0, 1, 1]", "[0.1, 0.2, 1.0, 1.0]"}) {
    const absl::Status status = read(box).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << box;
    EXPECT_THAT(std::string(status.message()), HasSubstr("not in shares of its sides"));
  }
  for (const char* box : {"[0, 0, 1, 2]", "[0.1, 0.2, 20.5, 0.9]", "[3, 3, 4, 4]"})
    EXPECT_TRUE(read(box).ok()) << box;
  EXPECT_THAT(std::string(read("[40, 20, 20, 40]").status().message()),
              HasSubstr("ends at 20, before 40, where it begins: two corners are wanted"));
}

TEST(ReadDetectionsJson, RefusesEverythingElse) {
  struct Case {
    std::string text;
    absl::StatusCode code;
    const char* says;
  };
  const Case cases[] = {
      {"nonsense", absl::StatusCode::kDataLoss, "not JSON"},
      {R"({"digest": "d"})", absl::StatusCode::kDataLoss, "no \"images\""},
      {R"({"images": []})", absl::StatusCode::kDataLoss, "no \"digest\""},
      {R"({"digest": "e", "images": []})", absl::StatusCode::kFailedPrecondition, "changed from d to e"},
      {Answer(""), absl::StatusCode::kDataLoss, "\"images\" has 0 entries for 1 that were sent"},
      {Answer(Image("") + "," + Image("")), absl::StatusCode::kDataLoss, "has 2 entries for 1"},
      {Answer("3"), absl::StatusCode::kDataLoss, "images[0]: detections: the JSON is not an object"},
      {Answer(R"({"width": 4, "height": 3})"), absl::StatusCode::kDataLoss, "objects is not a list"},
      {Answer(R"({"width": 8, "height": 3, "objects": []})"), absl::StatusCode::kDataLoss,
       "images[0] is of 8 x 3 pixels, but 4 x 3 were sent"},
      {Answer(Image(R"({"class": "bench", "score": 7, "box": [0, 0, 1, 1]})")), absl::StatusCode::kDataLoss,
       "objects[0].score is 7; it must be 0 to 1"},
      {Answer(Image(R"({"class": "bench", "score": 1.0002, "box": [0, 0, 1, 1]})")),
       absl::StatusCode::kDataLoss, "objects[0].score is 1.0002; it must be 0 to 1"},
      {Answer(Image(R"({"class": "bench", "score": NaN, "box": [0, 0, 1, 1]})")), absl::StatusCode::kDataLoss,
       "objects[0].score"},
      {Answer(Image(R"({"class": "bench", "score": 1, "box": [0, 0, 1, 1e999]})")),
       absl::StatusCode::kDataLoss, "objects[0].box[3]"},
      {Answer(Image(R"({"class": 3, "score": 1, "box": [0, 0, 1, 1]})")), absl::StatusCode::kDataLoss,
       "objects[0].class is not a string"},
  };
  for (const Case& c : cases) {
    const absl::Status status = ReadDetectionsJson(c.text, {{4, 3}}, {"bench"}, "d").status();
    EXPECT_EQ(status.code(), c.code) << c.text << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.says)) << c.text;
  }
}

TEST(HttpDetector, DetectsOverHttp) {
  json asked;
  TestHttpServer server([&](const TestHttpServer::Request& request) {
    if (request.head.rfind("GET /v1/describe ", 0) == 0)
      return MakeHttpAnswer(200, R"({"digest": "d", "thresholds": {"score": 0.5}})");
    if (request.head.rfind("POST /v1 ", 0) != 0) return MakeHttpAnswer(404, request.head);
    asked = json::parse(request.body);
    return MakeHttpAnswer(200, Answer(Image(kBench)));
  });
  const auto detector = HttpDetector::Create(server.url() + "/v1", {});
  ASSERT_TRUE(detector.ok()) << detector.status();
  EXPECT_EQ((*detector)->digest(), "http_detector/d/0.5/0.9");
  EXPECT_EQ((*detector)->thresholds().score, .5);
  const RgbImage image = PlainImage(4, 3, 7);
  const auto found = (*detector)->Detect({image}, {"bench", "traffic light"});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)[0][0].class_name, "bench");
  EXPECT_EQ(asked["classes"], json({"bench", "traffic light"}));
  std::string png;
  ASSERT_TRUE(absl::Base64Unescape(asked["images"][0].get<std::string>(), &png));
  EXPECT_EQ(DecodePng(png)->pixels, image.pixels);
}

TEST(HttpDetector, ErrorsNameItsAddress) {
  SentLog log;
  FakeWaiting time;
  const auto gone =
      HttpDetector::Create("http://u:p@gpu:1", {.deadline = absl::Minutes(1), .waiting = time.waiting()},
                           std::make_unique<FakeTransport>(
                               log, [](const SentLog::Sent&) { return absl::UnavailableError("no"); }));
  EXPECT_TRUE(absl::IsUnavailable(gone.status()));
  EXPECT_THAT(std::string(gone.status().message()), HasSubstr("detector at http://gpu:1: "));
  EXPECT_GT(log.sent.size(), 5u);
  const auto detector = HttpDetector::Create(
      "http://gpu:1", {},
      std::make_unique<FakeTransport>(log, [](const SentLog::Sent& sent) -> absl::StatusOr<HttpAnswer> {
        if (sent.body.empty()) return HttpAnswer{.code = 200, .body = R"({"digest": "d"})"};
        return HttpAnswer{.code = 422, .body = "unknown class"};
      }));
  ASSERT_TRUE(detector.ok()) << detector.status();
  const absl::Status status = (*detector)->Detect({PlainImage(1, 1, 0)}, {"x"}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("detector at http://gpu:1: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("unknown class"));
}

}  // namespace
}  // namespace lvrpo
