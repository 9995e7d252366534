// The scorers that look through frozen models, with the embedded default's weights.

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reward_server/client.h"
#include "reward_server/load_scorers.h"
#include "reward_server/scorers/grounding.h"
#include "shapes_world/scene.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// The scorers of the embedded default with only one component on, and other settings.
std::unique_ptr<ScorerSet> Only(const std::string& component, std::vector<std::string> settings = {}) {
  for (const char* name : {"grounding", "instruction", "knowledge"})
    settings.push_back(std::string("reward.") + name + "_weight=" + (name == component ? "1" : "0"));
  absl::StatusOr<LoadedConfig> config = LoadRunConfig("configs/shapes.yaml", settings);
  EXPECT_TRUE(config.ok()) << config.status();
  static auto* metrics = new Metrics;
  absl::StatusOr<std::unique_ptr<ScorerSet>> scorers = LoadScorers(config->config, *metrics);
  EXPECT_TRUE(scorers.ok()) << scorers.status();
  return *std::move(scorers);
}

TEST(LoadScorers, NamesAnExternalScorerThatCannotBeReached) {
  const absl::StatusOr<LoadedConfig> config = LoadRunConfig(
      "configs/shapes.yaml", {"reward.external=[{name: brand, address: \"http://127.0.0.1:1\", weight: 1, "
                              "task: image, timeout_seconds: 0.05}]"});
  ASSERT_TRUE(config.ok()) << config.status();
  Metrics metrics;
  const absl::Status status = LoadScorers(config->config, metrics).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("'brand'"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1:1"));
}

TEST(LoadScorers, AsksAnEndpointInsteadOfAModelWhenOneIsSet) {
  const absl::StatusOr<LoadedConfig> config = LoadRunConfig(
      "configs/shapes.yaml",
      {"reward.vqa_endpoint.url=http://127.0.0.1:1/v1", "reward.vqa_endpoint.model=some-model"});
  ASSERT_TRUE(config.ok()) << config.status();
  Metrics metrics;
  const auto scorers = LoadScorers(config->config, metrics);
  ASSERT_TRUE(scorers.ok()) << scorers.status();
  EXPECT_THAT((*scorers)->Digests().at("knowledge"), HasSubstr("vqa_endpoint/"));
}

// A red circle top left; with `extra` three more.
RgbImage RedCircles(bool extra = false) {
  shapes::Scene scene;
  for (int cell = 0; cell < (extra ? 4 : 1); ++cell) {
    scene.objects.push_back({.shape = 0,
                             .color = 0,
                             .cell = cell,
                             .x = 16.0 + cell % 2 * 32,
                             .y = 16.0 + cell / 2 * 32,
                             .radius = 10.5});
  }
  return shapes::Render(scene);
}

ScoringGroup MakeGroup(std::vector<RgbImage> images) {
  ScoringGroup group;
  group.prompt.set_id("p");
  group.prompt.set_task(v1::TASK_KIND_IMAGE);
  group.images = std::move(images);
  return group;
}

TEST(GroundingScorer, EvidenceIsOneMapForEachPhraseAndOnlyWhenAskedFor) {
  const std::unique_ptr<ScorerSet> scorers = Only("grounding");
  ScoringGroup group = MakeGroup({RedCircles(), RedCircles(true)});
  group.prompt.add_key_phrases("a red circle");
  group.prompt.add_key_phrases("a blue square");
  EXPECT_THAT(scorers->Score(group).items(0).maps(), SizeIs(0));
  group.want_evidence = true;
  const v1::ScoreResponse response = scorers->Score(group);
  for (const v1::ItemScore& item : response.items()) {
    ASSERT_THAT(item.maps(), SizeIs(2));
    for (int k = 0; k < 2; ++k) {
      const v1::GroundingMap& map = item.maps(k);
      EXPECT_EQ(map.phrase(), group.prompt.key_phrases(k));
      EXPECT_EQ(map.rows(), 8);  // patches of 8 pixels
      EXPECT_EQ(map.columns(), 8);
      ASSERT_THAT(map.values(), SizeIs(64));
      for (const float value : map.values()) EXPECT_TRUE(value >= 0 && value <= 1) << value;
    }
  }
  // What is there is found where it is: in the top left quarter.
  const auto& circle = response.items(0).maps(0).values();
  const auto best = std::max_element(circle.begin(), circle.end()) - circle.begin();
  EXPECT_LT(best % 8, 4);
  EXPECT_LT(best / 8, 4);
  const auto& square = response.items(0).maps(1).values();
  EXPECT_GT(circle[static_cast<int>(best)], *std::max_element(square.begin(), square.end()));
}

TEST(GroundingScorer, MaxPatchIsTheMeanOfTheMapsPeaksAndBlindToNumbers) {
  const std::unique_ptr<ScorerSet> plain = Only("grounding", {"reward.grounding_form=max_patch"}),
                                   counting = Only("grounding");
  EXPECT_THAT(plain->Digests().at("grounding"), HasSubstr("max_patch"));
  EXPECT_THAT(counting->Digests().at("grounding"), HasSubstr("count_aware"));
  ScoringGroup group = MakeGroup({RedCircles(), RedCircles(true)});
  group.prompt.add_key_phrases("a red circle");
  group.want_evidence = true;
  const v1::ScoreResponse by_peak = plain->Score(group), by_count = counting->Score(group);
  // The same, of two phrases.
  group.prompt.add_key_phrases("a blue square");
  const v1::ScoreResponse of_two = plain->Score(group);
  for (const v1::ItemScore& item : of_two.items()) {
    double sum = 0;
    for (const v1::GroundingMap& map : item.maps())
      sum += *std::max_element(map.values().begin(), map.values().end());
    EXPECT_NEAR(item.reward(), sum / 2, 1e-6);
  }
  EXPECT_GT(by_peak.items(0).reward(), 0.5);
  EXPECT_NEAR(by_peak.items(1).reward(), by_peak.items(0).reward(), 0.1);
  EXPECT_NEAR(by_count.items(0).reward(), by_peak.items(0).reward(), 1e-6);  // one phrase, one region
  EXPECT_LE(by_count.items(1).reward(), 0.25);
}

TEST(GroundingScorer, EveryFormTellsRightFromWrongAndHasItsOwnDigest) {
  std::set<std::string> digests;
  for (const std::vector<std::string>& settings :
       std::vector<std::vector<std::string>>{{},
                                             {"reward.grounding_form=top_k_mean", "reward.grounding_top_k=2"},
                                             {"reward.grounding_form=top_k_mean", "reward.grounding_top_k=3"},
                                             {"reward.grounding_regions=peaks"},
                                             {"reward.grounding_dense=box"},
                                             {"reward.grounding_dense=box", "reward.grounding_regions=peaks"},
                                             {"reward.grounding_calibration=cosine"}}) {
    SCOPED_TRACE(absl::StrJoin(settings, " "));
    const std::unique_ptr<ScorerSet> scorers = Only("grounding", settings);
    digests.insert(scorers->Digests().at("grounding"));
    const auto score = [&](const char* phrase) {
      ScoringGroup group = MakeGroup({RedCircles()});
      group.prompt.add_key_phrases(phrase);
      return scorers->Score(group).items(0).reward();
    };
    const float right = score("a red circle");
    EXPECT_GT(right, score("a blue circle") + .2);
    EXPECT_GT(right, score("a blue square") + .2);
    EXPECT_LE(right, 1);
  }
  EXPECT_THAT(digests, SizeIs(7));
}

TEST(GroundingScorer, PeaksCountCopiesOnAnyBackground) {
  const std::unique_ptr<ScorerSet> scorers = Only("grounding", {"reward.grounding_regions=peaks"});
  ScoringGroup group = MakeGroup({RedCircles(), RedCircles(true)});
  group.prompt.add_key_phrases("a red circle");
  const v1::ScoreResponse of_one = scorers->Score(group);
  EXPECT_GT(of_one.items(0).reward(), .5);
  EXPECT_LE(of_one.items(1).reward(), .3);
}

// Random weights; images of different shapes have different grids.
TEST(GroundingScorer, ANaflexRefereeSeesImagesInTheirOwnShape) {
  SiglipConfig config;
  config.vision = config.text = {.width = 16, .layers = 1, .heads = 2, .mlp = 24};
  config.patch_size = 4, config.num_patches = 16, config.naflex = true;
  config.vocabulary = 16, config.text_length = 8, config.projection = 16;
  const auto siglip = Siglip::Create(config, Siglip::RandomInit(config, 3), "test");
  ASSERT_TRUE(siglip.ok()) << siglip.status();
  const auto scorer = GroundingScorer::Create(RefereeView(*siglip, {.filter = ResizeFilter::kBilinear}, 24),
                                              MakeWordTokenizer({"a", "red", "circle"}),
                                              {.form = GroundingOptions::Form::kMaxPatch});
  ASSERT_TRUE(scorer.ok()) << scorer.status();
  const RgbImage square = RedCircles();
  const RgbImage wide = {60, 20, std::vector<uint8_t>(60 * 20 * 3, 90)};
  ScoringGroup group = MakeGroup({square, wide});
  group.prompt.add_key_phrases("a red circle");
  group.want_evidence = true;
  const auto both = (*scorer)->ScoreGroup(group);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ((*both)[0].maps[0].rows(), 4);  // 4 x 4 = 16: the most of equal sides within 24
  EXPECT_EQ((*both)[0].maps[0].columns(), 4);
  EXPECT_EQ((*both)[1].maps[0].rows() * 3, (*both)[1].maps[0].columns() + 1);  // 3 x 8 patches
  for (const SampleScore& score : *both)
    EXPECT_EQ(score.maps[0].values_size(), score.maps[0].rows() * score.maps[0].columns());
  // Each as if it were alone.
  group.images = {wide};
  EXPECT_NEAR((*(*scorer)->ScoreGroup(group))[0].value, (*both)[1].value, 1e-5);
}

TEST(GroundingScorer, RefusesARefereeThatCannotDoWhatIsAsked) {
  SiglipConfig config;
  config.vision = {.width = 16, .layers = 1, .heads = 2, .mlp = 24};
  config.text = {.width = 12, .layers = 1, .heads = 2, .mlp = 24};
  config.image_size = 8, config.patch_size = 4, config.vocabulary = 16, config.projection = 12;
  config.use_head = false;
  const auto create = [&](GroundingOptions::Dense dense) {
    const auto siglip = Siglip::Create(config, Siglip::RandomInit(config, 3), "test");
    EXPECT_TRUE(siglip.ok()) << siglip.status();
    return std::string(GroundingScorer::Create(RefereeView(*siglip, {.filter = ResizeFilter::kBilinear}, 24),
                                               MakeWordTokenizer({"a"}), {.dense = dense})
                           .status()
                           .message());
  };
  EXPECT_THAT(create(GroundingOptions::Dense::kMapHead), HasSubstr("without its pooling head"));
  EXPECT_THAT(create(GroundingOptions::Dense::kTokens), HasSubstr("tokens are 16 wide and its texts 12"));
  config.use_head = true, config.calibrated = false;
  EXPECT_THAT(create(GroundingOptions::Dense::kMapHead), HasSubstr("without logit_scale and logit_bias"));
}

TEST(PooledScorer, IsShownAndNoPartOfTheReward) {
  const std::unique_ptr<ScorerSet> scorers =
      Only("instruction", {"reward.logged=[pooled]", "reward.guards=[artefacts]"});
  ScoringGroup group = MakeGroup({RedCircles()});
  group.prompt.set_text("a red circle");
  group.prompt.mutable_constraints()->add_objects()->set_count(1);
  const v1::ScoreResponse response = scorers->Score(group);
  const v1::ItemScore& item = response.items(0);
  EXPECT_TRUE(item.complete());
  EXPECT_EQ(item.reward(), 1);
  ASSERT_THAT(item.logged(), SizeIs(2));
  EXPECT_EQ(item.logged(0).name(), "pooled");
  EXPECT_GT(item.logged(0).score(), 0);
  group.prompt.set_text("a blue square");
  EXPECT_LT(scorers->Score(group).items(0).logged(0).score(), item.logged(0).score());
  // What it cannot read costs nothing.
  group.prompt.set_text("a zebra");
  const v1::ScoreResponse unread = scorers->Score(group);
  EXPECT_TRUE(unread.items(0).complete());
  EXPECT_EQ(unread.items(0).logged(0).outcome(), v1::ComponentScore::INVALID_INPUT);
}

TEST(GroundingScorer, FindsThePhrasesOfAPromptThatComesWithoutAny) {
  const std::unique_ptr<ScorerSet> scorers = Only("grounding");
  ScoringGroup given = MakeGroup({RedCircles()}), found = given;
  given.prompt.add_key_phrases("red circle");
  given.prompt.add_key_phrases("blue square");
  found.prompt.set_text("a red circle left of a blue square");
  EXPECT_FLOAT_EQ(scorers->Score(found).items(0).reward(), scorers->Score(given).items(0).reward());
}

TEST(GroundingScorer, ResizesWhatTheRefereeSees) {
  const std::unique_ptr<ScorerSet> scorers = Only("grounding");
  const RgbImage small = RedCircles();
  RgbImage large = {192, 128, std::vector<uint8_t>(192 * 128 * 3)};  // three times as wide, twice as high
  for (size_t y = 0; y < 128; ++y) {
    for (size_t x = 0; x < 192; ++x)
      std::copy_n(&small.pixels[(y / 2 * 64 + x / 3) * 3], 3, &large.pixels[(y * 192 + x) * 3]);
  }
  ScoringGroup group = MakeGroup({small});
  group.prompt.add_key_phrases("a red circle");
  const float expected = scorers->Score(group).items(0).reward();
  group.images = {large};
  EXPECT_NEAR(scorers->Score(group).items(0).reward(), expected, 0.1);
}

TEST(GroundingScorer, ScoresSeveralPromptsTogetherAsEachAlone) {
  const std::unique_ptr<ScorerSet> scorers = Only("grounding");
  Scorer& scorer = *scorers->scorers()[0];
  ScoringGroup red = MakeGroup({RedCircles(), RedCircles(true)}), blue = MakeGroup({RedCircles()}),
               wrong = blue;
  red.prompt.add_key_phrases("a red circle");
  blue.prompt.add_key_phrases("a blue square");
  blue.prompt.add_key_phrases("a circle");
  wrong.prompt.add_key_phrases("a red zebra");
  const ScoringGroup* const all[] = {&red, &wrong, &blue};
  const auto together = scorer.ScoreGroups(all);
  ASSERT_EQ(together.size(), 3);
  EXPECT_EQ(together[1].status().code(), absl::StatusCode::kInvalidArgument);
  for (const auto& [group, answer] : {std::pair{&red, &together[0]}, {&blue, &together[2]}}) {
    const auto alone = scorer.ScoreGroup(*group);
    ASSERT_TRUE(alone.ok() && answer->ok());
    for (size_t i = 0; i < alone->size(); ++i) EXPECT_NEAR((**answer)[i].value, (*alone)[i].value, 1e-5);
  }
}

TEST(GroundingScorer, SaysWhatCannotBeGrounded) {
  const std::unique_ptr<ScorerSet> scorers = Only("grounding");
  ScoringGroup many = MakeGroup({RedCircles()});
  for (int i = 0; i < 9; ++i) many.prompt.add_key_phrases("a red circle");
  ScoringGroup unknown = MakeGroup({RedCircles()});
  unknown.prompt.add_key_phrases("a red zebra");
  ScoringGroup nothing = MakeGroup({RedCircles()});
  for (const auto& [group, detail] :
       {std::pair{many, "9 key phrases"}, {unknown, "zebra"}, {nothing, "neither key phrases nor a text"}}) {
    const v1::ScoreResponse response = scorers->Score(group);
    const v1::ItemScore& item = response.items(0);
    EXPECT_FALSE(item.complete());
    ASSERT_THAT(item.scores(), SizeIs(1));
    EXPECT_EQ(item.scores(0).outcome(), v1::ComponentScore::INVALID_INPUT);
    EXPECT_THAT(item.scores(0).detail(), HasSubstr(detail));
  }
}

void Ask(ScoringGroup& group, const std::string& text, const std::string& answer,
         const std::vector<std::string>& choices) {
  v1::Question& question = *group.prompt.add_questions();
  question.set_text(text);
  question.set_answer(answer);
  for (const std::string& choice : choices) question.add_choices(choice);
}

TEST(KnowledgeScorer, IsTheMeanProbabilityOfTheRightAnswers) {
  const std::unique_ptr<ScorerSet> scorers = Only("knowledge");
  const auto score = [&](const std::vector<std::pair<std::string, std::string>>& asked) {
    ScoringGroup group = MakeGroup({RedCircles(), RedCircles(true)});
    for (const auto& [text, answer] : asked) Ask(group, text, answer, {"yes", "no"});
    const v1::ScoreResponse response = scorers->Score(group);
    EXPECT_TRUE(response.items(0).complete() && response.items(1).complete());
    return std::pair<double, double>{response.items(0).reward(), response.items(1).reward()};
  };
  const auto circle = score({{"is there a circle ?", "yes"}}),
             square = score({{"is there a square ?", "yes"}});
  const auto no_square = score({{"is there a square ?", "no"}});
  const auto both = score({{"is there a circle ?", "yes"}, {"is there a square ?", "no"}});
  EXPECT_NEAR(square.first + no_square.first, 1, 1e-5);
  EXPECT_NEAR(both.first, (circle.first + no_square.first) / 2, 1e-5);
  EXPECT_NEAR(both.second, (circle.second + no_square.second) / 2, 1e-5);
  EXPECT_GT(both.first, 0);
}

// A part of an image, from its top left corner on.
RgbImage Corner(const RgbImage& image, int width, int height) {
  RgbImage corner = {width, height, {}};
  for (int y = 0; y < height; ++y) {
    const auto row = image.pixels.begin() + std::ptrdiff_t{3} * y * image.width;
    corner.pixels.insert(corner.pixels.end(), row, row + std::ptrdiff_t{3} * width);
  }
  return corner;
}

TEST(KnowledgeScorer, SizesOfOtherSamplesChangeNothing) {
  const std::unique_ptr<ScorerSet> scorers = Only("knowledge");
  const auto scores = [&](std::vector<RgbImage> images) {
    ScoringGroup group = MakeGroup(std::move(images));
    Ask(group, "is there a circle ?", "yes", {"yes", "no"});
    const v1::ScoreResponse response = scorers->Score(group);
    std::vector<float> values;
    for (const v1::ItemScore& item : response.items()) {
      EXPECT_TRUE(item.complete()) << item.ShortDebugString();
      values.push_back(item.reward());
    }
    return values;
  };
  const RgbImage whole = RedCircles(), low = Corner(RedCircles(true), 64, 48),
                 small = Corner(RedCircles(true), 8, 8), narrow = Corner(RedCircles(true), 48, 64);
  const std::vector<float> alone = {scores({whole})[0], scores({low})[0], scores({small})[0],
                                    scores({narrow})[0]};
  const std::vector<float> together = scores({whole, low, small, narrow}),
                           reversed = scores({narrow, small, low, whole});
  for (size_t i = 0; i < alone.size(); ++i) {
    EXPECT_NEAR(together[i], alone[i], 1e-5) << i;
    EXPECT_NEAR(reversed[alone.size() - 1 - i], alone[i], 1e-5) << i;
  }
}

TEST(KnowledgeScorer, ManySamplesAreScoredInParts) {
  const std::unique_ptr<ScorerSet> scorers = Only("knowledge");
  const std::vector<std::string> words = {"yes",  "no",     "red",    "orange",   "yellow", "green", "cyan",
                                          "blue", "purple", "pink",   "zero",     "one",    "two",   "three",
                                          "four", "circle", "square", "triangle", "cross",  "ring",  "heart",
                                          "left", "right",  "above",  "below"};
  const auto rewards = [&](size_t samples) {
    ScoringGroup group = MakeGroup({});
    for (size_t i = 0; i < samples; ++i) group.images.push_back(RedCircles(i % 3 == 0));
    Ask(group, "is there a circle ?", "yes", words);
    const v1::ScoreResponse response = scorers->Score(group);
    std::vector<float> values;
    for (const v1::ItemScore& item : response.items()) values.push_back(item.complete() ? item.reward() : -1);
    return values;
  };
  const std::vector<float> few = rewards(2), many = rewards(100);
  for (size_t i = 0; i < many.size(); ++i) EXPECT_NEAR(many[i], few[i % 3 == 0 ? 0 : 1], 1e-5) << i;
}

TEST(KnowledgeScorer, NamesASampleWhoseSizeItCannotTake) {
  const std::unique_ptr<ScorerSet> scorers = Only("knowledge");
  for (const auto& [width, height] : {std::pair{63, 64}, {64, 12}, {1, 1}}) {
    ScoringGroup group = MakeGroup({RedCircles(), Corner(RedCircles(), width, height)});
    Ask(group, "is there a circle ?", "yes", {"yes", "no"});
    const v1::ComponentScore score = scorers->Score(group).items(1).scores(0);
    EXPECT_EQ(score.outcome(), v1::ComponentScore::INVALID_INPUT) << width;
    EXPECT_THAT(score.detail(), HasSubstr(absl::StrCat("sample 1 is an image of ", width, "x", height)));
  }
}

TEST(KnowledgeScorer, SaysWhichQuestionCannotBeAsked) {
  const std::unique_ptr<ScorerSet> scorers = Only("knowledge");
  struct Case {
    const char *text, *answer;
    std::vector<std::string> choices;
    const char* detail;
  };
  for (const Case& test : {Case{"is there a circle ?", "maybe", {"yes", "no"}, "not among its choices"},
                           Case{"is there a circle ?", "yes", {}, "not among its choices"},
                           Case{"is there a circle ?", "", {"yes", "no"}, "not among its choices"},
                           Case{"is there a zebra ?", "yes", {"yes", "no"}, "zebra"},
                           Case{"is there a circle ?", "yes", {"yes", "perhaps"}, "perhaps"}}) {
    SCOPED_TRACE(test.detail);
    ScoringGroup group = MakeGroup({RedCircles(), RedCircles(true)});
    Ask(group, "is there a ring ?", "no", {"yes", "no"});
    Ask(group, test.text, test.answer, test.choices);
    const v1::ScoreResponse response = scorers->Score(group);
    for (const v1::ItemScore& item : response.items()) {
      EXPECT_FALSE(item.complete());
      ASSERT_THAT(item.scores(), SizeIs(1));
      EXPECT_EQ(item.scores(0).outcome(), v1::ComponentScore::INVALID_INPUT);
      EXPECT_THAT(item.scores(0).detail(), HasSubstr(test.detail));
      EXPECT_THAT(item.scores(0).detail(), HasSubstr(test.text));
    }
  }
}

// Whatever sizes come in one request, and whatever is in the images: a score of 0 to 1, or a sentence.
TEST(LoadScorers, EveryScorerTakesImagesOfAnySizesOrSaysWhyNot) {
  const absl::StatusOr<LoadedConfig> config = LoadRunConfig(
      "configs/shapes.yaml",
      {"reward.logged=[pooled]", "reward.guards=[artefacts, one_patch, disagreement, written_text]"});
  ASSERT_TRUE(config.ok()) << config.status();
  Metrics metrics;
  const absl::StatusOr<std::unique_ptr<ScorerSet>> scorers = LoadScorers(config->config, metrics);
  ASSERT_TRUE(scorers.ok()) << scorers.status();
  const std::pair<int, int> sizes[] = {{1, 1},   {1, 300}, {300, 1}, {2, 3}, {8, 8},
                                       {64, 64}, {64, 48}, {65, 64}, {40, 8}};
  uint32_t state = 1;
  for (const bool fits : {true, false}) {
    ScoringGroup group = MakeGroup({});
    group.prompt.set_text("a red circle above a blue square");
    v1::ObjectConstraint& object = *group.prompt.mutable_constraints()->add_objects();
    object.set_shape("circle");
    object.set_count(1);
    Ask(group, "is there a circle ?", "yes", {"yes", "no"});
    for (const auto& [width, height] : sizes) {
      if (fits && (width % 8 != 0 || height % 8 != 0)) continue;
      RgbImage image = {width, height, std::vector<uint8_t>(static_cast<size_t>(3 * width * height))};
      for (uint8_t& value : image.pixels)
        value = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
      group.images.push_back(std::move(image));
    }
    const v1::ScoreResponse response = (*scorers)->Score(group);
    ASSERT_EQ(response.items_size(), static_cast<int>(group.images.size()));
    EXPECT_TRUE(CheckFinite(response).ok());
    for (const v1::ItemScore& item : response.items()) {
      for (const v1::ComponentScore& score : item.scores()) {
        EXPECT_EQ(score.outcome(), fits || score.name() != "knowledge" ? v1::ComponentScore::OK
                                                                       : v1::ComponentScore::INVALID_INPUT)
            << score.ShortDebugString();
        EXPECT_TRUE(score.score() >= 0 && score.score() <= 1) << score.ShortDebugString();
        EXPECT_EQ(absl::StrContains(score.detail(), "threw"), false) << score.ShortDebugString();
      }
    }
  }
}

}  // namespace
}  // namespace lvrpo
