#include "reward_server/scoring/scoring.h"

#include <cmath>
#include <limits>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "common/net/rpc.h"
#include "data/image/image_message.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reward_server/client.h"
#include "reward_server/decode_request.h"
#include "reward_server/scorers/exact_match.h"
#include "reward_server/scoring/combine.h"
#include "reward_server/warm_up.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

class ConstantScorer : public Scorer {
 public:
  ConstantScorer(std::string name, float value) : name_(std::move(name)), value_(value) {}
  std::string name() const override { return name_; }
  std::string digest() const override { return name_ + "/test"; }
  bool AppliesTo(const v1::PromptRecord&) const override { return true; }
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override {
    return std::vector<SampleScore>(group.size(), SampleScore{.value = value_, .detail = "", .maps = {}});
  }

 private:
  std::string name_;
  float value_;
};

class ThrowingScorer : public ConstantScorer {
 public:
  ThrowingScorer() : ConstantScorer("grounding", 0) {}
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup&) override {
    throw std::runtime_error("out of luck");
  }
};

class MiscountingScorer : public ConstantScorer {
 public:
  MiscountingScorer() : ConstantScorer("grounding", 0) {}
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup&) override {
    return std::vector<SampleScore>(1);
  }
};

v1::ScoreRequest ImageRequest(int items) {
  v1::ScoreRequest request;
  request.mutable_prompt()->set_id("p");
  request.mutable_prompt()->set_task(v1::TASK_KIND_IMAGE);
  for (int i = 0; i < items; ++i) {
    v1::RgbImage& image = *request.add_items()->mutable_image();
    image.set_width(2);
    image.set_height(1);
    image.set_pixels(std::string(6, 'x'));
  }
  return request;
}

ScorerSet MakeSet(std::unique_ptr<Scorer> grounding) {
  std::vector<std::unique_ptr<Scorer>> scorers;
  scorers.push_back(std::move(grounding));
  scorers.push_back(std::make_unique<ConstantScorer>("instruction", 0.5f));
  return ScorerSet(std::move(scorers), {{"grounding", 1.0}, {"instruction", 3.0}});
}

TEST(ScorerSet, GivesTheWeightedMeanOfItsComponents) {
  ScorerSet set = MakeSet(std::make_unique<ConstantScorer>("grounding", 1.0f));
  const v1::ScoreResponse response = set.Score(*DecodeRequest(ImageRequest(2)));
  ASSERT_EQ(response.items_size(), 2);
  EXPECT_TRUE(response.items(1).complete());
  EXPECT_FLOAT_EQ(response.items(1).reward(), (1.0f * 1 + 0.5f * 3) / 4);
  EXPECT_EQ(response.items(1).scores(0).scorer_digest(), "grounding/test");
}

struct FailureCase {
  const char* promise;
  std::unique_ptr<Scorer> (*make)();
  const char* detail;
};

TEST(ScorerSet, AFailingScorerCostsOnlyItsOwnComponent) {
  const FailureCase cases[] = {
      {"throws", []() -> std::unique_ptr<Scorer> { return std::make_unique<ThrowingScorer>(); },
       "out of luck"},
      {"miscounts", []() -> std::unique_ptr<Scorer> { return std::make_unique<MiscountingScorer>(); },
       "1 of 2"},
      {"is not finite",
       []() -> std::unique_ptr<Scorer> {
         return std::make_unique<ConstantScorer>("grounding", std::numeric_limits<float>::quiet_NaN());
       },
       "finite"}};
  for (const FailureCase& test : cases) {
    SCOPED_TRACE(test.promise);
    ScorerSet set = MakeSet(test.make());
    const v1::ScoreResponse response = set.Score(*DecodeRequest(ImageRequest(2)));
    ASSERT_EQ(response.items_size(), 2);
    for (const v1::ItemScore& item : response.items()) {
      EXPECT_FALSE(item.complete());
      EXPECT_EQ(item.scores(0).outcome(), v1::ComponentScore::SCORER_FAILED);
      EXPECT_THAT(item.scores(0).detail(), HasSubstr(test.detail));
      EXPECT_EQ(item.scores(1).outcome(), v1::ComponentScore::OK);
    }
  }
}

// A scorer that applies to no prompt.
class SilentScorer : public ConstantScorer {
 public:
  explicit SilentScorer(const std::string& name) : ConstantScorer(name, 1) {}
  bool AppliesTo(const v1::PromptRecord&) const override { return false; }
};

TEST(ScorerSet, NoScoreIsNotARewardOfZero) {
  std::vector<std::unique_ptr<Scorer>> silent;
  silent.push_back(std::make_unique<SilentScorer>("grounding"));
  silent.push_back(std::make_unique<ExactMatchScorer>());
  std::vector<std::unique_ptr<Scorer>> weightless;
  weightless.push_back(std::make_unique<ConstantScorer>("instruction", 1.0f));
  ScorerSet sets[] = {ScorerSet(std::move(silent), {{"grounding", 1.0}, {"exact_match", 1.0}}),
                      ScorerSet(std::move(weightless), {{"grounding", 1.0}}), ScorerSet({}, {})};
  for (ScorerSet& set : sets) {
    const v1::ScoreResponse response = set.Score(*DecodeRequest(ImageRequest(2)));
    ASSERT_EQ(response.items_size(), 2);
    for (const v1::ItemScore& item : response.items()) {
      EXPECT_FALSE(item.complete());
      // The outcomes alone show it too.
      ASSERT_EQ(item.scores_size(), 1);
      EXPECT_EQ(item.scores(0).outcome(), v1::ComponentScore::INVALID_INPUT);
      EXPECT_THAT(item.scores(0).detail(), HasSubstr("no scorer of this server applies to prompt 'p'"));
    }
  }
}

TEST(ScorerSet, WhatIsOnlyLoggedIsNoPartOfTheRewardAndCostsNothingWhenItFails) {
  std::vector<std::unique_ptr<Scorer>> scorers;
  scorers.push_back(std::make_unique<ThrowingScorer>());  // "grounding"
  scorers.push_back(std::make_unique<ConstantScorer>("instruction", 0.5f));
  scorers.push_back(std::make_unique<ConstantScorer>("knowledge", 0.75f));
  scorers.push_back(std::make_unique<ConstantScorer>("elsewhere", 0.1f));
  scorers.push_back(std::make_unique<ConstantScorer>("neither", 0.9f));
  ScorerSet set(std::move(scorers), {{"instruction", 1}, {"knowledge", 1}},
                {"grounding", "elsewhere", "disagreement"});
  EXPECT_EQ(set.scorers().size(), 4);
  const v1::ScoreResponse response = set.Score(*DecodeRequest(ImageRequest(1)));
  const v1::ItemScore& item = response.items(0);
  EXPECT_TRUE(item.complete());
  EXPECT_FLOAT_EQ(item.reward(), 0.625f);
  ASSERT_EQ(item.scores_size(), 2);
  ASSERT_EQ(item.logged_size(), 3);
  EXPECT_EQ(item.logged(0).outcome(), v1::ComponentScore::SCORER_FAILED);
  EXPECT_EQ(item.logged(1).score(), 0.1f);
  EXPECT_EQ(item.logged(2).name(), "disagreement");
  EXPECT_EQ(item.logged(2).score(), 0.25f);
}

// A run whose groups have `samples` images of 48 x 48 pixels.
v1::RolloutConfig Rollout(int samples) {
  v1::RolloutConfig rollout;
  rollout.set_group_size(samples);
  rollout.set_image_size(48);
  return rollout;
}

// Notes the size of the images it sees.
class SizeScorer : public ConstantScorer {
 public:
  SizeScorer() : ConstantScorer("grounding", 1) {}
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override {
    for (const RgbImage& image : group.images) seen.push_back({image.width, image.height});
    return ConstantScorer::ScoreGroup(group);
  }
  std::vector<ImageSize> seen;
};

TEST(WarmUp, SendsImagesOfTheRunsSize) {
  v1::PromptRecord usual, tall;
  usual.set_task(v1::TASK_KIND_IMAGE);
  tall.set_task(v1::TASK_KIND_IMAGE);
  tall.mutable_constraints()->set_height(80);
  auto scorer = std::make_unique<SizeScorer>();
  const std::vector<ImageSize>& seen = scorer->seen;
  ScorerSet set = MakeSet(std::move(scorer));
  EXPECT_THAT(WarmUp(set, {usual, tall}, Rollout(2)).problems, ::testing::IsEmpty());
  EXPECT_EQ(seen, (std::vector<ImageSize>{{48, 48}, {48, 48}, {48, 80}, {48, 80}}));
}

TEST(WarmUp, CallsEveryScorerAndSaysWhatIsWrong) {
  v1::RunConfig config;
  config.mutable_data()->add_image_prompts("assets/shapes/prompts/train_image.jsonl");
  config.mutable_data()->add_text_prompts("/no/such/file");
  ScorerSet good = MakeSet(std::make_unique<ConstantScorer>("grounding", 1.0f));
  const std::vector<v1::PromptRecord> prompts = WarmUpPrompts(config.data(), good);
  ASSERT_EQ(prompts.size(), 1);
  EXPECT_THAT(WarmUp(good, prompts, Rollout(3)).problems, ::testing::IsEmpty());
  ScorerSet bad = MakeSet(std::make_unique<ThrowingScorer>());
  const WarmUpReport report = WarmUp(bad, prompts, Rollout(3));
  EXPECT_THAT(report.problems, ::testing::ElementsAre(HasSubstr("grounding: ")));
  EXPECT_TRUE(report.refused.ok());  // it may do better with what comes
  EXPECT_THAT(WarmUp(bad, {}, Rollout(3)).problems, ::testing::IsEmpty());
}

// Fails as it is told to; takes prompts with questions.
class FailingScorer : public ConstantScorer {
 public:
  FailingScorer(const std::string& name, absl::Status failure)
      : ConstantScorer(name, 1), failure_(std::move(failure)) {}
  bool AppliesTo(const v1::PromptRecord& prompt) const override { return prompt.questions_size() > 0; }
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup&) override { return failure_; }

 private:
  const absl::Status failure_;
};

absl::Status Marked(absl::Status status, v1::RefusalReason reason) {
  v1::ErrorInfo info;
  info.set_reason(reason);
  return WithReason(std::move(status), info);
}

struct LastingCase {
  absl::Status failure;
  bool refused, unscorable;
};
const LastingCase kLastingCases[] = {
    {absl::FailedPreconditionError("answered 401"), true, true},
    {Marked(absl::InvalidArgumentError("answered 400"), v1::REFUSAL_BY_SCORER), true,
     false},  // a sample's fault, later
    {Marked(absl::InternalError("no JSON"), v1::REFUSAL_BAD_ANSWER), false, true},
    {absl::InternalError("answered 500"), false, false},
    {absl::NotFoundError("none of the choices"), false, false},
    {absl::InvalidArgumentError("answered 422"), false, false},
    {absl::UnavailableError("answered 503"), false, false},
};

ScorerSet Failing(const absl::Status& failure, bool counts) {
  std::vector<std::unique_ptr<Scorer>> scorers;
  scorers.push_back(std::make_unique<FailingScorer>("knowledge", failure));
  std::map<std::string, double> weights;
  if (counts) weights["knowledge"] = 1;
  return ScorerSet(std::move(scorers), weights, {"knowledge"});
}

TEST(WarmUp, WhatAScorerThatCountsRefusesForGoodEndsTheStart) {
  v1::PromptRecord without, with;
  without.set_task(v1::TASK_KIND_IMAGE);
  with.set_task(v1::TASK_KIND_IMAGE);
  with.add_questions();
  for (const LastingCase& c : kLastingCases) {
    for (const bool counts : {true, false}) {
      ScorerSet set = Failing(c.failure, counts);
      EXPECT_TRUE(WarmUp(set, {without}, Rollout(2)).refused.ok());
      const WarmUpReport report = WarmUp(set, {without, with}, Rollout(2));
      EXPECT_THAT(report.problems, ::testing::SizeIs(1));
      EXPECT_EQ(!report.refused.ok(), c.refused && counts) << c.failure;
      if (report.refused.ok()) continue;
      EXPECT_TRUE(absl::IsFailedPrecondition(report.refused));
      EXPECT_THAT(std::string(report.refused.message()), HasSubstr("'knowledge'"));
      EXPECT_THAT(std::string(report.refused.message()), HasSubstr(std::string(c.failure.message())));
    }
  }
}

TEST(ScorerSet, SaysWhichScorerWillNeverScoreThis) {
  v1::ScoreRequest request = ImageRequest(2);
  v1::Question& question = *request.mutable_prompt()->add_questions();
  question.set_text("is it red ?");
  question.set_answer("yes");
  for (const char* choice : {"yes", "no"}) question.add_choices(choice);
  for (const LastingCase& c : kLastingCases) {
    for (const bool counts : {true, false}) {
      const v1::ScoreResponse response = Failing(c.failure, counts).Score(*DecodeRequest(request));
      EXPECT_EQ(response.unscorable(),
                c.unscorable && counts ? absl::StrCat("knowledge: ", c.failure.message()) : "");
    }
  }
}

TEST(Disagreement, IsBetweenTheHighestAndTheLowestScoreThereIs) {
  std::vector<v1::ComponentScore> scores(3);
  EXPECT_EQ(Disagreement({}), 0);
  EXPECT_EQ(Disagreement(scores), 0);  // none is OK
  scores[0].set_outcome(v1::ComponentScore::OK);
  scores[0].set_score(0.25f);
  EXPECT_EQ(Disagreement(scores), 0);
  scores[2].set_outcome(v1::ComponentScore::OK);
  scores[2].set_score(1);
  EXPECT_EQ(Disagreement(scores), 0.75f);
}

TEST(ScorerSet, OneScorerThatAppliesIsEnough) {
  ScorerSet set = MakeSet(std::make_unique<SilentScorer>("grounding"));
  const v1::ScoreResponse response = set.Score(*DecodeRequest(ImageRequest(1)));
  EXPECT_TRUE(response.items(0).complete());
  EXPECT_FLOAT_EQ(response.items(0).reward(), 0.5f);
  EXPECT_EQ(response.items(0).scores_size(), 1);
}

TEST(DecodeRequest, TakesPixelsOrAPngOfThem) {
  RgbImage image = {5, 3, {}};
  for (uint8_t i = 0; i < 45; ++i) image.pixels.push_back(i);
  v1::ScoreRequest request = ImageRequest(2);
  for (int i = 0; i < 2; ++i) *request.mutable_items(i)->mutable_image() = ToMessage(image, i == 1);
  EXPECT_EQ(request.items(1).image().width(), 0);
  const absl::StatusOr<ScoringGroup> group = DecodeRequest(request);
  ASSERT_TRUE(group.ok()) << group.status();
  for (const RgbImage& decoded : group->images) {
    EXPECT_EQ(decoded.width, 5);
    EXPECT_EQ(decoded.height, 3);
    EXPECT_EQ(decoded.pixels, image.pixels);
  }
}

TEST(DecodeRequest, BoundsWhatSmallPngsHold) {
  const v1::RgbImage white = ToMessage({1024, 1024, std::vector<uint8_t>(3 << 20, 255)}, true);
  v1::ScoreRequest request = ImageRequest(0);
  for (int i = 0; i < 65; ++i) *request.add_items()->mutable_image() = white;
  EXPECT_LT(request.ByteSizeLong(), size_t{1} << 20);
  const absl::Status status = DecodeRequest(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("items 0 to 64 hold more than 67108864 pixels"));
}

TEST(DecodeRequest, TakesWhatTheCallerHasFound) {
  v1::ScoreRequest request = ImageRequest(2);
  EXPECT_TRUE(DecodeRequest(request)->detections.empty());
  v1::DetectedObject& object = *request.mutable_items(1)->mutable_detections()->add_objects();
  object.set_class_name("bench");
  object.set_score(0.5f);
  object.set_x1(2);
  object.set_y1(1);
  const absl::StatusOr<ScoringGroup> group = DecodeRequest(request);
  ASSERT_TRUE(group.ok()) << group.status();
  ASSERT_EQ(group->detections.size(), 2);
  EXPECT_FALSE(group->detections[0].has_value());
  EXPECT_EQ(group->detections[1]->at(0).class_name, "bench");
  object.set_score(NAN);
  const absl::Status status = DecodeRequest(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("item 1, detections: objects[0].score"));
}

TEST(DecodeRequest, KeepsEachImagesOwnSize) {
  v1::ScoreRequest request = ImageRequest(0);
  for (const auto& [width, height] : {std::pair{2, 1}, {1, 2}, {64, 48}, {1, 1}})
    *request.add_items()->mutable_image() = ToMessage(
        {width, height,
         std::vector<uint8_t>(static_cast<size_t>(3 * width * height), static_cast<uint8_t>(width))},
        height == 2);
  const absl::StatusOr<ScoringGroup> group = DecodeRequest(request);
  ASSERT_TRUE(group.ok()) << group.status();
  ASSERT_EQ(group->images.size(), 4u);
  EXPECT_EQ(group->images[2].width, 64);
  EXPECT_EQ(group->images[2].height, 48);
  EXPECT_EQ(group->images[2].pixels.size(), 9216u);
  EXPECT_EQ(group->images[1].height, 2);
}

TEST(CheckFinite, NamesTheSampleWithANumberThatIsNone) {
  v1::ScoreResponse response;
  for (int i = 0; i < 3; ++i) {
    v1::ItemScore& item = *response.add_items();
    item.set_reward(.5f);
    item.add_scores()->set_score(1);
    item.add_logged()->set_score(-7);
  }
  EXPECT_TRUE(CheckFinite(response).ok());
  EXPECT_TRUE(CheckFinite({}).ok());
  for (const float odd : {std::numeric_limits<float>::quiet_NaN(), INFINITY, -INFINITY}) {
    for (const int place : {0, 1, 2}) {
      v1::ScoreResponse bad = response;
      v1::ItemScore& item = *bad.mutable_items(1);
      if (place == 0) item.set_reward(odd);
      if (place == 1) item.mutable_scores(0)->set_score(odd);
      if (place == 2) item.mutable_logged(0)->set_score(odd);
      EXPECT_EQ(CheckFinite(bad), absl::InternalError("sample 1 has a score that is not a finite number"));
    }
  }
}

TEST(DecodeRequest, RefusesWhatCannotBeScored) {
  v1::ScoreRequest no_task = ImageRequest(1);
  no_task.mutable_prompt()->clear_task();
  v1::ScoreRequest short_pixels = ImageRequest(2);
  short_pixels.mutable_items(1)->mutable_image()->set_pixels("x");
  v1::ScoreRequest huge = ImageRequest(1);
  huge.mutable_items(0)->mutable_image()->set_width(1 << 30);
  v1::ScoreRequest large = ImageRequest(1);
  large.mutable_items(0)->mutable_image()->set_width(1025);
  v1::ScoreRequest flat = ImageRequest(1);
  flat.mutable_items(0)->mutable_image()->set_height(0);
  v1::ScoreRequest no_png = ImageRequest(1);
  *no_png.mutable_items(0)->mutable_image() = v1::RgbImage();
  no_png.mutable_items(0)->mutable_image()->set_png("no PNG at all");
  v1::ScoreRequest twice = ImageRequest(1);
  twice.mutable_items(0)->mutable_image()->set_png("x");
  v1::ScoreRequest tall = ImageRequest(1);
  *tall.mutable_items(0)->mutable_image() = ToMessage({1, 1025, std::vector<uint8_t>(3075)}, true);
  v1::ScoreRequest countless = ImageRequest(1);
  countless.mutable_prompt()->mutable_constraints()->add_objects()->set_count(1 << 30);
  v1::ScoreRequest crowd = ImageRequest(1025);
  v1::ScoreRequest long_text = ImageRequest(1), long_phrase = ImageRequest(1),
                   long_question = ImageRequest(1), long_choice = ImageRequest(1), long_id = ImageRequest(1);
  long_text.mutable_prompt()->set_text(std::string((1 << 20) + 1, 'x'));
  long_phrase.mutable_prompt()->add_key_phrases(std::string(1025, 'x'));
  long_question.mutable_prompt()->add_questions()->set_text(std::string(4097, 'x'));
  long_choice.mutable_prompt()->add_questions()->add_choices(std::string(1025, 'x'));
  long_id.mutable_prompt()->set_id(std::string(1025, 'x'));
  v1::ScoreRequest essay;
  essay.mutable_prompt()->set_task(v1::TASK_KIND_TEXT);
  essay.mutable_prompt()->set_answer("x");
  essay.add_items()->set_text(std::string((1 << 20) + 1, 'x'));
  for (const auto& [request, message] : {std::pair{no_task, "no task"},
                                         {crowd, "1025 items; at most 1024"},
                                         {long_text, "a text of 1048577 bytes"},
                                         {long_phrase, "a key phrase of 1025 bytes"},
                                         {long_question, "a question of 4097 bytes"},
                                         {long_choice, "a choice of 1025 bytes"},
                                         {long_id, "an id of 1025 bytes"},
                                         {essay, "item 0: a text of 1048577 bytes"},
                                         {short_pixels, "item 1"},
                                         {huge, "sides of 1 to 1024 pixels"},
                                         {large, "an image of 1025x1 pixels"},
                                         {flat, "an image of 2x0 pixels"},
                                         {no_png, "item 0: "},
                                         {twice, "both a PNG and pixels"},
                                         {tall, "1025"},
                                         {countless, "1 to 64"},
                                         {ImageRequest(0), "no items"}}) {
    const absl::Status status = DecodeRequest(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }
}

TEST(ExactMatch, ComparesNormalisedText) {
  ScoringGroup group;
  group.prompt.set_task(v1::TASK_KIND_TEXT);
  group.prompt.set_answer("Two");
  group.texts = {"two",    "  TWO ", "two red", "", "\uFF34wo\u200B<|im_end|>", "<think>one?</think>two",
                 "two\xFF"};
  ExactMatchScorer scorer;
  const auto scores = scorer.ScoreGroup(group);
  ASSERT_TRUE(scores.ok());
  EXPECT_EQ((*scores)[0].value, 1);
  EXPECT_EQ((*scores)[1].value, 1);
  EXPECT_EQ((*scores)[2].value, 0);
  EXPECT_EQ((*scores)[3].value, 0);
  EXPECT_EQ((*scores)[4].value, 1);
  EXPECT_EQ((*scores)[5].value, 1);
  EXPECT_EQ((*scores)[6].value, 0);
}

v1::Member Server(const std::string& id, double load, const std::string& state = "ready") {
  v1::Member member;
  member.set_member_id(id);
  member.set_load(load);
  member.set_state(state);
  return member;
}

TEST(PickServer, TakesTheLessLoadedOfTwo) {
  const std::vector<v1::Member> servers = {Server("a", 5), Server("b", 1)};
  for (uint64_t random = 0; random < 16; ++random)
    EXPECT_EQ(PickServer(servers, {}, random)->member_id(), "b");
}

TEST(PickServer, SkipsExcludedAndUnreadyServers) {
  const std::vector<v1::Member> servers = {Server("a", 0), Server("b", 9), Server("c", 0, "draining")};
  EXPECT_EQ(PickServer(servers, {"a"}, 7)->member_id(), "b");
  EXPECT_FALSE(PickServer(servers, {"a", "b"}, 7).has_value());
  EXPECT_FALSE(PickServer({}, {}, 7).has_value());
}

TEST(PickServer, ReachesEveryServer) {
  const std::vector<v1::Member> servers = {Server("a", 1), Server("b", 1), Server("c", 1)};
  std::set<std::string> seen;
  for (uint64_t random = 0; random < 64; ++random)
    seen.insert(PickServer(servers, {}, random * 0x9E3779B97F4A7C15)->member_id());
  EXPECT_EQ(seen.size(), 3u);
}

}  // namespace
}  // namespace lvrpo
