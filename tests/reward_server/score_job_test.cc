#include "reward_server/scoring/score_job.h"

#include <filesystem>

#include "common/files/file.h"
#include "data/image/png.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/data/image_bytes.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(ScoreJob, ReadsWhatALineAsksFor) {
  const auto words = ParseScoreJob(R"({"image": "a.png", "prompt": "a red bench"})", "pictures");
  ASSERT_TRUE(words.ok()) << words.status();
  EXPECT_EQ(words->image, "pictures/a.png");
  EXPECT_EQ(words->prompt.text(), "a red bench");
  EXPECT_EQ(words->prompt.task(), v1::TASK_KIND_IMAGE);
  EXPECT_EQ(ParseScoreJob(R"({"image": "/b.png", "prompt": "x"})", "pictures")->image, "/b.png");

  const auto answer = ParseScoreJob(
      R"({"text": "seven", "record": {"id": "q", "task": "TASK_KIND_TEXT", "answer": "seven"}})", "");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->text, "seven");
  EXPECT_EQ(answer->prompt.answer(), "seven");
}

TEST(ScoreJob, PassesOverAByteOrderMark) {
  const auto job = ParseScoreJob("\xef\xbb\xbf{\"text\": \"caf\xc3\xa9\", \"prompt\": \"x\"}", "");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->text, "caf\xc3\xa9");
}

TEST(ScoreJob, SaysWhatIsWrongWithALine) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "not JSON: it is empty"},
      {"{\"text\": \"caf\xe9\", \"prompt\": \"x\"}", "not UTF-8 at byte 14 (0xe9)"},
      {"{\"image\": \"a\xff.png\", \"prompt\": \"x\"}", "not UTF-8"},
      {"{\"text\": \"a\", \"prompt\": NaN}", "not JSON at column 25: NaN is no JSON value"},
      {"[1]", "not a JSON object"},
      {R"({"text": "a", "prompt": "x", "text": "b"})", "\"text\" is given twice"},
      {R"({"image": "a.png"})", "\"prompt\" or \"record\""},
      {R"({"prompt": "x"})", "\"image\" or \"text\""},
      {R"({"image": "a", "text": "b", "prompt": "x"})", "\"image\" or \"text\""},
      {R"({"image": "a", "prompt": "x", "record": {}})", "\"prompt\" or \"record\""},
      {R"({"image": 3, "prompt": "x"})", "\"image\" is not a text"},
      {R"({"image": "a", "record": "x"})", "\"record\" is not an object"},
      {R"({"image": "a", "prompt": "x", "color": "red"})", "\"color\" is none of"},
      {R"({"image": "a", "record": {"colour": 1}})", "not a prompt record"},
      {R"({"image": "a", "record": {"task": "TASK_KIND_TEXT"}})", "asks for a text"},
      {R"({"text": "a", "record": {"task": "TASK_KIND_IMAGE"}})", "asks for an image"},
      {R"({"image": "a", "prompt": "x", "detections": []})", "\"detections\" is not an object"},
      {R"({"image": "a", "prompt": "x", "detections": {"width": 1}})", "detections: "},
      {R"({"text": "a", "prompt": "x", "detections": {}})", "belong to an image"},
  };
  for (const auto& [line, message] : cases) {
    const absl::Status status = ParseScoreJob(line, "").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }
}

TEST(ScoreJob, ARequestHoldsTheImageAndAsksForEvidence) {
  const TemporaryFolder folder;
  const std::string path = folder / "image.png";
  const RgbImage image = {2, 1, {1, 2, 3, 4, 5, 6}};
  ASSERT_TRUE(WritePng(path, image).ok());
  ScoreJob job;
  job.prompt.set_task(v1::TASK_KIND_IMAGE);
  job.image = path;
  const auto request = RequestFor(job);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_FALSE(request->items(0).has_detections());
  job.detections = {.width = 2, .height = 1, .objects = {{.class_name = "bench", .score = .5, .color = ""}}};
  EXPECT_EQ(RequestFor(job)->items(0).detections().objects(0).class_name(), "bench");
  job.detections->width = 3;
  EXPECT_THAT(std::string(RequestFor(job).status().message()), HasSubstr("of an image of 3x1 pixels"));
  std::filesystem::remove(path);
  EXPECT_TRUE(request->want_evidence());
  EXPECT_EQ(request->items(0).image().pixels(), std::string("\1\2\3\4\5\6"));
  EXPECT_EQ(RequestFor(job).status().code(), absl::StatusCode::kNotFound);
}

TEST(ScoreJob, PhotographsAreSeenUprightUnlessTold) {
  const TemporaryFolder folder;
  ScoreJob job;
  job.image = folder / "photo.png";
  const std::string png = *EncodePng({2, 1, {1, 1, 1, 2, 2, 2}});
  ASSERT_TRUE(WriteFileAtomic(job.image, WithOrientation(png, 6)).ok());
  EXPECT_EQ(RequestFor(job)->items(0).image().width(), 1);
  EXPECT_EQ(RequestFor(job)->items(0).image().height(), 2);
  EXPECT_EQ(RequestFor(job, {.upright = false})->items(0).image().width(), 2);
}

v1::ItemScore Scored() {
  v1::ItemScore score;
  score.set_reward(0.5f);
  score.set_complete(true);
  v1::ComponentScore& component = *score.add_scores();
  component.set_name("grounding");
  component.set_outcome(v1::ComponentScore::OK);
  component.set_score(0.5f);
  component.set_detail("1 regions for 1 phrases");
  v1::GroundingMap& map = *score.add_maps();
  map.set_phrase("red bench");
  map.set_rows(1);
  map.set_columns(2);
  map.add_values(0.25f);
  map.add_values(1);
  return score;
}

TEST(ScoreJob, ShowsScoresAndNeverARewardThatIsNone) {
  v1::ItemScore score = Scored();
  EXPECT_EQ(ScoreJson(score, false)["reward"], 0.5);
  EXPECT_FALSE(ScoreJson(score, false).contains("maps"));
  EXPECT_EQ(ScoreJson(score, true)["maps"][0]["values"].size(), 2);
  EXPECT_THAT(ScoreText(score), HasSubstr("red bench"));
  EXPECT_FALSE(ScoreJson(score, false).contains("logged"));
  *score.add_logged() = score.scores(0);
  EXPECT_EQ(ScoreJson(score, false)["logged"][0]["score"], 0.5);
  EXPECT_THAT(ScoreText(score), HasSubstr("no part of the reward:\ngrounding"));
  EXPECT_THAT(ScoreText(score), HasSubstr("1.0000 at row 1 of 1, column 2 of 2"));

  score.set_complete(false);
  score.mutable_scores(0)->set_outcome(v1::ComponentScore::SCORER_FAILED);
  const nlohmann::json json = ScoreJson(score, false);
  EXPECT_FALSE(json.contains("reward"));
  EXPECT_FALSE(json["components"][0].contains("score"));
  EXPECT_EQ(json["components"][0]["outcome"], "SCORER_FAILED");
  EXPECT_THAT(ScoreText(score), HasSubstr("reward        none"));
}

TEST(ScoreJob, AMapIsShownBesideItsImage) {
  const RgbImage image = {4, 2, std::vector<uint8_t>(24, 7)};
  const RgbImage picture = MapPicture(Scored().maps(0), image);
  // Both enlarged twice, with a white pixel around each.
  ASSERT_EQ(picture.width, 3 + 2 * (2 * 4));
  const auto at = [&](size_t x) { return picture.pixels[(static_cast<size_t>(picture.width) + x) * 3]; };
  EXPECT_EQ(at(1), 7);
  EXPECT_EQ(at(10), 64);   // a quarter of 255
  EXPECT_EQ(at(14), 255);  // the right half
}

}  // namespace
}  // namespace lvrpo
