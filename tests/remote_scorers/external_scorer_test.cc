#include "reward_server/remote/external_scorer.h"

#include <cmath>
#include <limits>
#include <utility>

#include "data/image/png.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/remote_scorers/groups.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

class FakeLink : public ExternalLink {
 public:
  struct Script {
    absl::StatusOr<std::string> digest = "w/1";
    absl::StatusOr<v1::ScoreSamplesResponse> response = v1::ScoreSamplesResponse();
    v1::ScoreSamplesRequest request = {};
  };
  explicit FakeLink(Script& script) : script_(script) {}
  absl::StatusOr<std::string> Describe() override { return script_.digest; }
  absl::StatusOr<v1::ScoreSamplesResponse> ScoreSamples(const v1::ScoreSamplesRequest& request) override {
    script_.request = request;
    return script_.response;
  }

 private:
  Script& script_;
};

v1::ExternalScorerConfig Config(const std::string& task = "both") {
  v1::ExternalScorerConfig config;
  config.set_name("aesthetics");
  config.set_address("http://user:secret@scorer:9000");
  config.set_task(task);
  return config;
}

v1::ScoreSamplesResponse Response(const std::vector<float>& values, const std::string& digest = "w/1") {
  v1::ScoreSamplesResponse response;
  response.set_digest(digest);
  for (const float value : values) response.add_scores()->set_value(value);
  return response;
}

TEST(ExternalScorer, SendsSamplesAndGivesTheirScores) {
  FakeLink::Script script;
  script.response = Response({0, .5, 1});
  script.response->mutable_scores(1)->set_detail("half");
  const auto scorer = ExternalScorer::Create(Config(), std::make_unique<FakeLink>(script));
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  EXPECT_EQ((*scorer)->name(), "aesthetics");
  EXPECT_EQ((*scorer)->digest(), "external/aesthetics/w/1");
  EXPECT_EQ((*scorer)->ComputeDigest(), (*scorer)->digest());
  const ScoringGroup group = ImageGroup(3);
  const auto scores = (*scorer)->ScoreGroup(group);
  ASSERT_TRUE(scores.ok()) << scores.status();
  ASSERT_EQ(scores->size(), 3u);
  EXPECT_EQ((*scores)[1].value, .5f);
  EXPECT_EQ((*scores)[1].detail, "half");
  EXPECT_EQ((*scores)[2].value, 1);
  EXPECT_EQ(script.request.prompt().id(), group.prompt.id());
  ASSERT_EQ(script.request.samples_size(), 3);
  const auto image = DecodePng(script.request.samples(2).png());
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image->pixels, group.images[2].pixels);
}

TEST(ExternalScorer, TextsAreSentAsUtf8) {
  const auto request = MakeScoreSamplesRequest(TextGroup({"yes", "", "a\xFF"}));
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->samples(0).text(), "yes");
  EXPECT_EQ(request->samples(1).text(), "");
  EXPECT_EQ(request->samples(2).text(), "a\xEF\xBF\xBD");
}

TEST(ExternalScorer, AppliesToTheTasksItIsGiven) {
  const std::tuple<const char*, bool, bool> cases[] = {
      {"image", true, false}, {"text", false, true}, {"both", true, true}};
  for (const auto& [task, images, texts] : cases) {
    FakeLink::Script script;
    const auto scorer = ExternalScorer::Create(Config(task), std::make_unique<FakeLink>(script));
    EXPECT_EQ((*scorer)->AppliesTo(ImageGroup(1).prompt), images) << task;
    EXPECT_EQ((*scorer)->AppliesTo(TextGroup({"a"}).prompt), texts) << task;
  }
}

TEST(ExternalScorer, CreationNamesTheScorerThatCannotBeReached) {
  struct Case {
    absl::StatusOr<std::string> digest;
    absl::StatusCode code;
    const char* says;
  };
  const Case cases[] = {
      {absl::UnavailableError("refused"), absl::StatusCode::kUnavailable, "refused"},
      {absl::DeadlineExceededError("20 s"), absl::StatusCode::kUnavailable, "20 s"},
      {absl::FailedPreconditionError("404"), absl::StatusCode::kFailedPrecondition, "404"},
      {"", absl::StatusCode::kDataLoss, "its digest"},
      {"a b", absl::StatusCode::kDataLoss, "its digest"},
      {std::string(201, 'x'), absl::StatusCode::kDataLoss, "its digest"},
  };
  for (const Case& c : cases) {
    FakeLink::Script script = {.digest = c.digest};
    const absl::Status status = ExternalScorer::Create(Config(), std::make_unique<FakeLink>(script)).status();
    EXPECT_EQ(status.code(), c.code) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("external scorer 'aesthetics' at http://scorer:9000: "));
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.says));
  }
}

TEST(ExternalScorer, RefusesWhatIsNotOneScoreASample) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  struct Case {
    absl::StatusOr<v1::ScoreSamplesResponse> response;
    absl::StatusCode code;
    const char* says;
  };
  const Case cases[] = {
      {Response({.5}), absl::StatusCode::kDataLoss, "answered with 1 scores for 2 samples"},
      {Response({.5, .5, .5}), absl::StatusCode::kDataLoss, "3 scores for 2"},
      {Response({.5, 1.5}), absl::StatusCode::kDataLoss, "scored sample 1 with 1.5"},
      {Response({-.1f, .5}), absl::StatusCode::kDataLoss, "scored sample 0 with -0.1"},
      {Response({kNan, .5}), absl::StatusCode::kDataLoss, "with nan"},
      {Response({.5, INFINITY}), absl::StatusCode::kDataLoss, "with inf"},
      {Response({.5, .5}, "w/2"), absl::StatusCode::kFailedPrecondition,
       "changed from w/1 to w/2: restart the reward server to accept it"},
      {Response({.5, .5}, ""), absl::StatusCode::kDataLoss, "its digest"},
      {absl::InvalidArgumentError("no face in it"), absl::StatusCode::kInvalidArgument, "no face in it"},
      {absl::UnavailableError("gone"), absl::StatusCode::kUnavailable, "gone"},
  };
  for (const Case& c : cases) {
    FakeLink::Script script;
    script.response = c.response;
    const auto scorer = ExternalScorer::Create(Config(), std::make_unique<FakeLink>(script));
    const absl::Status status = (*scorer)->ScoreGroup(ImageGroup(2)).status();
    EXPECT_EQ(status.code(), c.code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("'aesthetics' at http://scorer:9000: "));
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.says));
  }
}

TEST(ExternalScorer, ClampsWhatRoundingExplainsAndShowsDigitsOtherwise) {
  const auto scores = ReadExternalScores(Response({1.0000001f, -1e-9f, .25f}), 3, "w/1");
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_EQ((*scores)[0].value, 1);
  EXPECT_EQ((*scores)[1].value, 0);
  EXPECT_EQ((*scores)[2].value, .25f);
  EXPECT_EQ(ReadExternalScores(Response({.5f, 1.00012f}), 2, "w/1").status().message(),
            "scored sample 1 with 1.00012; scores must be 0 to 1");
}

TEST(ExternalScorer, LongDetailsAreCutBetweenCharacters) {
  v1::ScoreSamplesResponse response = Response({.5});
  std::string detail = "a";
  for (int i = 0; i < 1000; ++i) detail += "\xC3\xA9";
  response.mutable_scores(0)->set_detail(detail);
  const auto scores = ReadExternalScores(response, 1, "w/1");
  ASSERT_TRUE(scores.ok());
  EXPECT_EQ((*scores)[0].detail, detail.substr(0, 1 + 2 * 999) + "...");
}

TEST(ExternalScorer, ADetailIsOneLineWithNothingThatMovesATerminal) {
  v1::ScoreSamplesResponse response = Response({.5});
  response.mutable_scores(0)->set_detail("\x1b[31mx\nfoo 1.0\xc2\x9b\xe2\x80\xae");
  EXPECT_EQ((*ReadExternalScores(response, 1, "w/1"))[0].detail, " [31mx foo 1.0  ");
}

}  // namespace
}  // namespace lvrpo
