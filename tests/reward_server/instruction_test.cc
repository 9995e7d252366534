#include "reward_server/scorers/instruction.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "shapes_world/scene.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

struct Ask {
  const char* color;
  const char* shape;
  int count = 1;
};
struct Relate {
  int subject;
  const char* relation;
  int object;
};
v1::Constraints Constraints(const std::vector<Ask>& objects, const std::vector<Relate>& relations = {},
                            int width = 0, int height = 0) {
  v1::Constraints constraints;
  for (const Ask& ask : objects) {
    v1::ObjectConstraint& object = *constraints.add_objects();
    object.set_color(ask.color);
    object.set_shape(ask.shape);
    object.set_count(ask.count);
  }
  for (const Relate& relate : relations) {
    v1::RelationConstraint& relation = *constraints.add_relations();
    relation.set_subject(relate.subject);
    relation.set_relation(relate.relation);
    relation.set_object(relate.object);
  }
  constraints.set_width(width);
  constraints.set_height(height);
  return constraints;
}
SegmentedObject Found(const char* color, const char* shape, double x = 16, double y = 16) {
  return {.color = color, .shape = shape, .x = x, .y = y, .radius = 10, .pixels = 300};
}

// Rules: one for each object asked, one for each relation, "nothing extra", and one for the size if it is
// given.
TEST(ApplyRules, CountsTheRulesThatHold) {
  struct Case {
    const char* promise;
    v1::Constraints asked;
    std::vector<SegmentedObject> found;
    int rules, hold;
    const char* broken;
  };
  const Case cases[] = {
      // Objects.
      {"as asked", Constraints({{"red", "circle"}}), {Found("red", "circle")}, 2, 2, ""},
      {"wrong colour", Constraints({{"red", "circle"}}), {Found("blue", "circle")}, 2, 1, "no red circle"},
      {"wrong shape", Constraints({{"red", "circle"}}), {Found("red", "ring")}, 2, 1, "no red circle"},
      {"no shape", Constraints({{"red", "circle"}}), {Found("red", "unknown")}, 2, 1, "no red circle"},
      {"an open colour takes any", Constraints({{"", "circle"}}), {Found("blue", "circle")}, 2, 2, ""},
      {"an open shape takes any", Constraints({{"red", ""}}), {Found("red", "ring")}, 2, 2, ""},
      {"nothing there", Constraints({{"red", ""}}), {}, 2, 1, "no red object"},
      // Counts.
      {"two of two", Constraints({{"", "ring", 2}}), {Found("red", "ring"), Found("blue", "ring")}, 3, 3, ""},
      {"one of two", Constraints({{"", "ring", 2}}), {Found("red", "ring")}, 3, 2, "no ring"},
      {"one serves one", Constraints({{"red", ""}, {"", "ring"}}), {Found("red", "ring")}, 3, 2, "no ring"},
      {"the freer request gives way",
       Constraints({{"", "ring"}, {"red", "ring"}}),
       {Found("red", "ring"), Found("blue", "ring")},
       3,
       3,
       ""},
      // Nothing extra.
      {"one too many",
       Constraints({{"red", "ring"}}),
       {Found("red", "ring"), Found("red", "ring")},
       2,
       1,
       "1 too many"},
      {"a colourless one too many",
       Constraints({{"red", "ring"}}),
       {Found("unknown", "unknown"), Found("red", "ring")},
       2,
       1,
       "1 too many"},
      {"all wrong",
       Constraints({{"red", "ring"}}),
       {Found("blue", "ring"), Found("red", "circle")},
       2,
       0,
       "no red ring; 1 too many"},
      {"nothing asked, nothing there", Constraints({}), {}, 1, 1, ""},
      {"nothing asked, one there", Constraints({}), {Found("red", "ring")}, 1, 0, "1 too many"},
      // Relations: more than half of the distance lies along the axis.
      {"left of",
       Constraints({{"", "ring"}, {"", "heart"}}, {{0, "left of", 1}}),
       {Found("red", "ring", 10, 20), Found("red", "heart", 40, 20)},
       4,
       4,
       ""},
      {"not left of",
       Constraints({{"", "ring"}, {"", "heart"}}, {{0, "left of", 1}}),
       {Found("red", "heart", 10, 20), Found("red", "ring", 40, 20)},
       4,
       3,
       "not left of"},
      {"right of",
       Constraints({{"", "ring"}, {"", "heart"}}, {{0, "right of", 1}}),
       {Found("red", "heart", 10, 20), Found("red", "ring", 40, 20)},
       4,
       4,
       ""},
      {"above",
       Constraints({{"", "ring"}, {"", "heart"}}, {{0, "above", 1}}),
       {Found("red", "ring", 20, 10), Found("red", "heart", 20, 40)},
       4,
       4,
       ""},
      {"below",
       Constraints({{"", "ring"}, {"", "heart"}}, {{0, "below", 1}}),
       {Found("red", "ring", 20, 10), Found("red", "heart", 20, 40)},
       4,
       3,
       "not below"},
      {"a diagonal is both",
       Constraints({{"", "ring"}, {"", "heart"}}, {{0, "left of", 1}, {0, "above", 1}}),
       {Found("red", "ring", 10, 10), Found("red", "heart", 40, 40)},
       5,
       5,
       ""},
      {"10 of 22 pixels are too few",
       Constraints({{"", "ring"}, {"", "heart"}}, {{0, "left of", 1}}),
       {Found("red", "ring", 10, 10), Found("red", "heart", 20, 30)},
       4,
       3,
       "not left of"},
      {"one place is no side",
       Constraints({{"", "ring"}, {"", "heart"}}, {{0, "above", 1}}),
       {Found("red", "ring", 20, 20), Found("red", "heart", 20, 20)},
       4,
       3,
       "not above"},
      {"a missing object breaks its relation",
       Constraints({{"", "ring"}, {"", "heart"}}, {{0, "above", 1}}),
       {Found("red", "ring", 20, 10)},
       4,
       2,
       "no heart; not above"},
      {"objects are told apart by the relation",
       Constraints({{"", "ring"}, {"", "ring"}}, {{0, "left of", 1}}),
       {Found("red", "ring", 40, 20), Found("blue", "ring", 10, 20)},
       4,
       4,
       ""},
      {"every one of a kind stands so",
       Constraints({{"", "ring", 2}, {"", "heart"}}, {{0, "left of", 1}}),
       {Found("red", "ring", 10, 20), Found("red", "ring", 60, 20), Found("red", "heart", 40, 20)},
       5,
       4,
       "not left of"},
      // Size.
      {"right size", Constraints({}, {}, 64, 48), {}, 2, 2, ""},
      {"wrong size", Constraints({}, {}, 32, 48), {}, 2, 1, "size 64x48"},
      {"any height", Constraints({}, {}, 64, 0), {}, 2, 2, ""},
      {"any width", Constraints({}, {}, 0, 32), {}, 2, 1, "size 64x48"},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.promise);
    const RuleResult result = ApplyRules(test.asked, test.found, 64, 48);
    EXPECT_EQ(result.rules, test.rules);
    EXPECT_EQ(result.hold, test.hold);
    EXPECT_EQ(result.broken, test.broken);
  }
}

// The search is over the assignments of 12 objects to 8 requests; two relations contradict each other, so
// that not all rules can hold.
TEST(ApplyRules, EndsSoonForTheMostThatItIsGiven) {
  const v1::Constraints asked =
      Constraints({{"", ""}, {"", ""}, {"", ""}, {"", ""}, {"", ""}, {"", ""}, {"", ""}, {"", ""}},
                  {{0, "left of", 1}, {1, "left of", 0}});
  std::vector<SegmentedObject> found;
  for (int i = 0; i < 12; ++i) found.push_back(Found("red", "ring", 5 * i, 16));
  const RuleResult result = ApplyRules(asked, found, 64, 64);
  EXPECT_EQ(result.rules, 8 + 2 + 1);
  EXPECT_EQ(result.hold, 8 + 1);
  EXPECT_EQ(result.broken, "not left of; 4 too many");
}

ScoringGroup MakeGroup(const v1::Constraints& constraints, std::vector<RgbImage> images) {
  ScoringGroup group;
  group.prompt.set_id("p");
  group.prompt.set_task(v1::TASK_KIND_IMAGE);
  *group.prompt.mutable_constraints() = constraints;
  group.images = std::move(images);
  return group;
}

TEST(InstructionScorer, ProductAndMean) {
  shapes::Scene right;
  right.objects.push_back({.shape = 0, .color = 0, .cell = 0, .x = 16, .y = 16, .radius = 10.5});
  shapes::Scene extra = right;
  extra.objects.push_back({.shape = 1, .color = 5, .cell = 3, .x = 48, .y = 48, .radius = 10.5});
  RgbImage colourless = shapes::Render(right);
  for (int y = 40; y < 56; ++y)
    std::fill_n(&colourless.pixels[static_cast<size_t>(y * 64 + 40) * 3], 16 * 3, 255);
  const ScoringGroup group =
      MakeGroup(Constraints({{"red", "circle"}}, {}, 64, 64),
                {shapes::Render(right), shapes::Render(extra), colourless, shapes::Render(shapes::Scene())});
  struct Case {
    InstructionScorer::Form form;
    float scores[4];
  };
  for (const Case& test : {Case{InstructionScorer::Form::kProduct, {1, 0, 0, 0}},
                           Case{InstructionScorer::Form::kMean, {1, 2.0f / 3, 2.0f / 3, 2.0f / 3}}}) {
    InstructionScorer scorer(test.form);
    const absl::StatusOr<std::vector<SampleScore>> scores = scorer.ScoreGroup(group);
    ASSERT_TRUE(scores.ok()) << scores.status();
    for (size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ((*scores)[i].value, test.scores[i]) << i;
    EXPECT_EQ((*scores)[0].detail, "");
    EXPECT_EQ((*scores)[2].detail, "1 too many");
    EXPECT_EQ((*scores)[3].detail, "no red circle");
  }
}

// Finds what it is told, in every image.
class FixedDetector : public ObjectDetector {
 public:
  explicit FixedDetector(std::vector<Detection> found) : found_(std::move(found)) {}
  std::string digest() const override { return "fixed"; }
  absl::StatusOr<std::vector<std::vector<Detection>>> Detect(
      const std::vector<RgbImage>& images, const std::vector<std::string>& classes) override {
    asked = classes;
    return std::vector<std::vector<Detection>>(images.size(), found_);
  }
  std::vector<std::string> asked;

 private:
  const std::vector<Detection> found_;
};

v1::Rule RuleFrom(const std::string& json) {
  v1::Rule rule;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &rule).ok()) << json;
  return rule;
}

TEST(InstructionScorer, JudgesRulesAboutImagesBesideConstraints) {
  shapes::Scene right;
  right.objects.push_back({.shape = 0, .color = 0, .cell = 0, .x = 16, .y = 16, .radius = 10.5});
  ScoringGroup group =
      MakeGroup(Constraints({{"red", "circle"}}), {shapes::Render(right), shapes::Render({})});
  *group.prompt.add_rules() = RuleFrom(R"({"image_size": {"width": 64, "height": 128}})");
  *group.prompt.add_rules() =
      RuleFrom(R"({"detected_objects": {"include": [{"class_name": "ball", "count": 1, "color": "red"}]}})");
  const auto scores = [&](InstructionScorer::Form form) {
    InstructionScorer scorer(
        form, std::make_unique<FixedDetector>(std::vector<Detection>{
                  {.class_name = "ball", .score = .95, .x0 = 6, .y0 = 6, .x1 = 26, .y1 = 26, .color = ""}}));
    EXPECT_THAT(scorer.digest(), HasSubstr("fixed"));
    return *scorer.ScoreGroup(group);
  };
  const std::vector<SampleScore> mean = scores(InstructionScorer::Form::kMean);
  // First image: circle present, nothing else, half of the size, a ball whose crop is red.
  EXPECT_FLOAT_EQ(mean[0].value, (1 + 1 + .5f + 1) / 4);
  EXPECT_EQ(mean[0].detail, "the image has 64x64 pixels where 64x128 are asked");
  // Second image: no circle, and a ball without its colour.
  EXPECT_FLOAT_EQ(mean[1].value, (0 + 1 + .5f + .5f) / 4);
  for (const SampleScore& score : scores(InstructionScorer::Form::kProduct)) EXPECT_EQ(score.value, 0);
}

TEST(InstructionScorer, JudgesRulesAboutTexts) {
  ScoringGroup group;
  group.prompt.set_id("t");
  group.prompt.set_task(v1::TASK_KIND_TEXT);
  *group.prompt.add_rules() = RuleFrom(R"({"answer_tag": {"tag": "answer"}})");
  *group.prompt.add_rules() = RuleFrom(R"({"numeric_answer": {"value": 7, "tag": "answer"}})");
  group.texts = {"three and four: <answer>7</answer>", "<answer>8</answer>", "7"};
  InstructionScorer product(InstructionScorer::Form::kProduct), mean(InstructionScorer::Form::kMean);
  ASSERT_TRUE(product.AppliesTo(group.prompt));
  const std::vector<SampleScore> all = *product.ScoreGroup(group), shares = *mean.ScoreGroup(group);
  EXPECT_EQ(all[0].value, 1);
  EXPECT_EQ(all[1].value, 0);
  EXPECT_EQ(all[2].value, 0);
  EXPECT_FLOAT_EQ(shares[0].value, 1);
  EXPECT_FLOAT_EQ(shares[1].value, .5);
  EXPECT_LT(shares[2].value, .5);
}

TEST(InstructionScorer, RulesThatItCannotJudge) {
  ScoringGroup group = MakeGroup({}, {shapes::Render({})});
  group.prompt.clear_constraints();
  InstructionScorer scorer(InstructionScorer::Form::kProduct);
  EXPECT_FALSE(scorer.AppliesTo(group.prompt));
  *group.prompt.add_rules() =
      RuleFrom(R"({"detected_objects": {"include": [{"class_name": "ball", "count": 1}]}})");
  absl::Status status = scorer.ScoreGroup(group).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);  // this server's fault, not the prompt's
  EXPECT_THAT(std::string(status.message()), HasSubstr("reward.detector"));
  // What the caller has found needs no detector.
  group.detections = {
      std::vector<Detection>{{.class_name = "ball", .score = .9, .x1 = 9, .y1 = 9, .color = ""}}};
  EXPECT_EQ((*scorer.ScoreGroup(group))[0].value, 1);
  group.detections = {std::vector<Detection>()};
  EXPECT_EQ((*scorer.ScoreGroup(group))[0].value, 0);
  group.detections.clear();
  *group.prompt.mutable_rules(0) = RuleFrom(R"({"length": {"most": 3}})");
  status = scorer.ScoreGroup(group).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("rules[0]: it is about texts"));
}

TEST(InstructionScorer, RefusesWhatItCannotCheck) {
  constexpr int kMax = std::numeric_limits<int>::max();
  struct Case {
    v1::Constraints constraints;
    const char* message;
  };
  const Case cases[] = {
      {Constraints({{"red", "ring", 9}}), "more than 8"},
      {Constraints({{"red", "ring", 5}, {"blue", "ring", 4}}), "more than 8"},
      {Constraints({{"red", "ring", kMax}, {"blue", "ring", kMax}}), "more than 8"},
      {Constraints({{"red", "ring", kMax}, {"blue", "ring", kMax}, {"", "", 3}}), "more than 8"},
      {Constraints({{"red", "ring", 0}}), "asks for 0"},
      {Constraints({{"red", "ring", -kMax}, {"blue", "ring", 2}}), "asks for -2147483647"},
      {Constraints({{"red", "ring"}}, {{0, "above", 1}}), "does not list"},
      {Constraints({{"red", "ring"}}, {{-1, "above", 0}}), "does not list"},
      {Constraints({}, {{0, "above", 0}}), "does not list"},
  };
  InstructionScorer scorer(InstructionScorer::Form::kProduct);
  for (const Case& test : cases) {
    const absl::Status status = scorer.ScoreGroup(MakeGroup(test.constraints, {shapes::Render({})})).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(test.message));
    EXPECT_THAT(std::string(status.message()), HasSubstr("'p'"));
  }
  EXPECT_TRUE(scorer.ScoreGroup(MakeGroup(Constraints({{"red", "ring", 8}}), {shapes::Render({})})).ok());
}

}  // namespace
}  // namespace lvrpo
