#include "verifiers/images/detected_objects.h"

#include <algorithm>
#include <limits>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "data/prompts/geneval.h"
#include "data/prompts/prompts.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using Rule = v1::DetectedObjectsRule;

Rule Parsed(const std::string& text) {
  Rule rule;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &rule)) << text;
  return rule;
}

// A box of 20 x 20 pixels around a centre.
Detection At(const std::string& name, double x, double y, const std::string& color = "",
             double score = 0.95) {
  return {.class_name = name,
          .score = score,
          .x0 = x - 10,
          .y0 = y - 10,
          .x1 = x + 10,
          .y1 = y + 10,
          .color = color};
}

std::vector<Detection> Many(int count, const std::string& name, double score = 0.95) {
  return std::vector<Detection>(static_cast<size_t>(count), At(name, 50, 50, "red", score));
}

struct Case {
  std::string rule;
  std::vector<Detection> detections;
  double grade;
  std::string why;  // empty: it holds
};

void ExpectVerdicts(const std::vector<Case>& cases) {
  for (const Case& test : cases) {
    SCOPED_TRACE(test.rule + " / " + test.why);
    const Rule rule = Parsed(test.rule);
    EXPECT_TRUE(CheckDetectedObjectsRule(rule).ok()) << CheckDetectedObjectsRule(rule);
    const Verdict verdict = VerifyDetectedObjects(rule, test.detections);
    EXPECT_EQ(verdict.holds, test.why.empty());
    EXPECT_DOUBLE_EQ(verdict.grade, test.grade);
    EXPECT_EQ(verdict.why, test.why);
  }
}

TEST(DetectedObjects, Counts) {
  const std::string two = "include { class_name: 'dog' count: 2 }", exactly_two = two + " exact_count: true";
  ExpectVerdicts({
      {two, Many(2, "dog"), 1, ""},
      {two, Many(5, "dog"), 1, ""},  // a surplus costs nothing
      {two, Many(1, "dog"), 0.5, R"(found 1 "dog" where at least 2 are asked)"},
      {two, {}, 0, R"(found 0 "dog" where at least 2 are asked)"},
      {two, Many(2, "Dog"), 0, R"(found 0 "dog" where at least 2 are asked)"},
      {exactly_two, Many(2, "dog"), 1, ""},
      {exactly_two, Many(1, "dog"), 0.5, R"(found 1 "dog" where exactly 2 are asked)"},
      {exactly_two, Many(3, "dog"), 0.5, R"(found 3 "dog" where exactly 2 are asked)"},
      {exactly_two, Many(4, "dog"), 0, R"(found 4 "dog" where exactly 2 are asked)"},
      {exactly_two, Many(9, "dog"), 0, R"(found 9 "dog" where exactly 2 are asked)"},  // not below 0
      {"include { class_name: 'dog' count: 1 } include { class_name: 'cat' count: 4 }", Many(3, "cat"), 0.375,
       R"(found 0 "dog" where at least 1 are asked)"},
  });
}

TEST(DetectedObjects, ScoresThatCount) {
  const std::string one = "include { class_name: 'dog' count: 1 }", exactly_one = one + " exact_count: true";
  const double nan = std::numeric_limits<double>::quiet_NaN();
  ExpectVerdicts({
      {one, Many(1, "dog", 0.31), 1, ""},
      {one, Many(1, "dog", 0.3), 0, R"(found 0 "dog" where at least 1 are asked)"},  // above, not at
      {one, Many(1, "dog", nan), 0, R"(found 0 "dog" where at least 1 are asked)"},
      {exactly_one, Many(1, "dog", 0.91), 1, ""},
      {exactly_one, Many(1, "dog", 0.9), 0, R"(found 0 "dog" where exactly 1 are asked)"},
  });
  EXPECT_TRUE(VerifyDetectedObjects(Parsed(exactly_one), Many(1, "dog", 0.5), {.counting_score = 0.4}).holds);
  EXPECT_FALSE(VerifyDetectedObjects(Parsed(one), Many(1, "dog", 0.5), {.score = 0.6}).holds);
}

TEST(DetectedObjects, Colors) {
  const std::string two_red = "include { class_name: 'dog' count: 2 color: 'red' }";
  const std::string why = R"(found 1 "dog" that are red where 2 are asked)";
  ExpectVerdicts({
      {two_red, {At("dog", 0, 0, "red"), At("dog", 0, 0, "red")}, 1, ""},
      {two_red, {At("dog", 0, 0, "red"), At("dog", 0, 0, "blue")}, 0.75, why},
      {two_red, {At("dog", 0, 0, "red"), At("dog", 0, 0, "")}, 0.75, why},
      // Two are red, but not the best two.
      {two_red,
       {At("dog", 0, 0, "red", 0.5), At("dog", 0, 0, "red", 0.9), At("dog", 0, 0, "blue", 0.8)},
       0.75,
       why},
      {two_red,
       {At("dog", 0, 0, "red", 0.8), At("dog", 0, 0, "red", 0.9), At("dog", 0, 0, "blue", 0.5)},
       1,
       ""},
      // Of equal scores the first is used.
      {two_red, {At("dog", 0, 0, "red"), At("dog", 0, 0, "red"), At("dog", 0, 0, "blue")}, 1, ""},
      {two_red, {At("dog", 0, 0, "red")}, 0.5, R"(found 1 "dog" where at least 2 are asked)"},
      {two_red, {}, 0, R"(found 0 "dog" where at least 2 are asked)"},
  });
}

// The centres' distance, less a tenth of both sizes on each axis, must lie by more than half along the axis.
TEST(DetectedObjects, PositionsOfTwo) {
  const auto rule = [](const std::string& relation) {
    return "include { class_name: 'bear' count: 1 } include { class_name: 'bench' count: 1 relation: '" +
           relation + "' target: 0 }";
  };
  struct Place {
    double x, y;                      // of the bench; the bear is at 100, 100
    std::set<std::string> relations;  // that hold
  };
  const Place places[] = {
      {40, 100, {"left of"}},
      {160, 100, {"right of"}},
      {100, 40, {"above"}},
      {100, 160, {"below"}},
      {40, 40, {"left of", "above"}},
      {160, 160, {"right of", "below"}},
      {100, 100, {}},          // one on the other
      {103, 97, {}},           // hardly to the right: within the margin of 4
      {96, 100, {}},           // just at the margin
      {91, 100, {"left of"}},  // 9 - 4 = 5 of 9 is more than half
      {92, 100, {}},           // 8 - 4 = 4 of 8 is not
      {40, 65, {"left of"}},   // 31 of 69.5 down: less than half
      {40, 55, {"left of", "above"}},
  };
  for (const Place& place : places) {
    for (const std::string relation : {"left of", "right of", "above", "below"}) {
      const bool holds = place.relations.count(relation) > 0;
      SCOPED_TRACE(absl::StrCat(place.x, ",", place.y, " ", relation));
      ExpectVerdicts({{rule(relation),
                       {At("bear", 100, 100), At("bench", place.x, place.y)},
                       holds ? 1 : 2.0 / 3,  // two counts hold; the failed position is one 0
                       holds ? "" : "\"bench\" is not " + relation + " \"bear\""}});
    }
  }
}

TEST(DetectedObjects, PositionsOfGroups) {
  const std::string rule =
      "include { class_name: 'bear' count: 2 color: 'red' }"
      "include { class_name: 'bench' count: 2 relation: 'left of' target: 0 }";
  const std::string not_left = R"("bench" is not left of "bear")";
  const Detection red = At("bear", 200, 50, "red"), blue = At("bear", 300, 50, "blue");
  ExpectVerdicts({
      {rule, {red, red, At("bench", 10, 50), At("bench", 60, 50)}, 1, ""},
      // One bench on the wrong side, and the same when only the third best is.
      {rule, {red, red, At("bench", 10, 50), At("bench", 290, 50)}, 0.75, not_left},
      {rule, {red, red, At("bench", 10, 50), At("bench", 60, 50), At("bench", 290, 50, "", 0.5)}, 1, ""},
      // One bear on the wrong side.
      {rule, {red, At("bear", 30, 50, "red"), At("bench", 10, 50), At("bench", 60, 50)}, 0.75, not_left},
      // The target is there in number, not in colour; not in number; not at all.
      {rule,
       {red, blue, At("bench", 10, 50), At("bench", 60, 50)},
       (1 + 0.5 + 1 + 0) / 4,
       R"(found 1 "bear" that are red where 2 are asked)"},
      {rule,
       {red, At("bench", 10, 50), At("bench", 60, 50)},
       (0.5 + 0.5 + 1 + 0) / 4,
       R"(found 1 "bear" where at least 2 are asked)"},
      {rule,
       {At("bench", 10, 50), At("bench", 60, 50)},
       (0 + 0 + 1 + 0) / 4.0,
       R"(found 0 "bear" where at least 2 are asked)"},
      // Too few benches.
      {rule,
       {red, red, At("bench", 10, 50)},
       (1 + 1 + 0.5 + 0) / 4,
       R"(found 1 "bench" where at least 2 are asked)"},
  });
}

// A target that stands wrong itself is no target, as in GenEval's program.
TEST(DetectedObjects, PositionsInAChain) {
  const std::string rule =
      "include { class_name: 'a' count: 1 }"
      "include { class_name: 'b' count: 1 relation: 'left of' target: 0 }"
      "include { class_name: 'c' count: 1 relation: 'above' target: 1 }";
  ExpectVerdicts({
      {rule, {At("a", 200, 200), At("b", 100, 200), At("c", 100, 100)}, 1, ""},
      {rule, {At("a", 50, 200), At("b", 100, 200), At("c", 100, 100)}, 0.6, R"("b" is not left of "a")"},
      {rule, {At("a", 200, 200), At("b", 100, 200), At("c", 100, 300)}, 0.8, R"("c" is not above "b")"},
  });
}

TEST(DetectedObjects, Exclusions) {
  const std::string rule = "include { class_name: 'dog' count: 1 } exclude { class_name: 'cat' count: 2 }";
  ExpectVerdicts({
      {rule, Many(1, "dog"), 1, ""},
      {rule, {At("dog", 0, 0), At("cat", 0, 0)}, 1, ""},
      {rule,
       {At("dog", 0, 0), At("cat", 0, 0), At("cat", 0, 0)},
       0.75,
       R"(found 2 "cat" where fewer than 2 are asked)"},
      {rule,
       {At("dog", 0, 0), At("cat", 0, 0), At("cat", 0, 0), At("cat", 0, 0), At("cat", 0, 0)},
       0.5,
       R"(found 4 "cat" where fewer than 2 are asked)"},
      {"exclude { class_name: 'cat' count: 1 }", Many(1, "cat"), 0,
       R"(found 1 "cat" where fewer than 1 are asked)"},
      {"exclude { class_name: 'cat' count: 1 }", Many(9, "cat", 0.3), 1, ""},
      // GenEval's counting, said by an exclusion, but for the score that counts.
      {"include { class_name: 'dog' count: 2 } exclude { class_name: 'dog' count: 3 }", Many(3, "dog"),
       (1 + 2.0 / 3) / 2, R"(found 3 "dog" where fewer than 3 are asked)"},
  });
}

// Sixteen of a class are kept, and more where the rule counts further.
TEST(DetectedObjects, KeepsTheBestOfAClass) {
  ExpectVerdicts({
      {"include { class_name: 'dog' count: 15 } exact_count: true", Many(100, "dog"), 1 - 1.0 / 15,
       R"(found 16 "dog" where exactly 15 are asked)"},
      {"include { class_name: 'dog' count: 64 } exact_count: true", Many(64, "dog"), 1, ""},
      {"include { class_name: 'dog' count: 64 } exact_count: true", Many(65, "dog"), 1 - 1.0 / 64,
       R"(found 65 "dog" where exactly 64 are asked)"},
      {"exclude { class_name: 'dog' count: 40 }", Many(40, "dog"), 1 - 1.0 / 40,
       R"(found 40 "dog" where fewer than 40 are asked)"},
  });
  EXPECT_EQ(VerifyDetectedObjects(Parsed("exclude { class_name: 'dog' count: 1 }"), Many(9, "dog"),
                                  {.most_per_class = 3})
                .why,
            R"(found 3 "dog" where fewer than 1 are asked)");
}

// Entries for one class look at the same objects: the best.
TEST(DetectedObjects, EntriesOfOneClass) {
  const std::string rule =
      "include { class_name: 'dog' count: 1 color: 'red' } include { class_name: 'dog' count: 1 color: "
      "'blue' }";
  ExpectVerdicts({{rule,
                   {At("dog", 0, 0, "red", 0.9), At("dog", 0, 0, "blue", 0.8)},
                   0.75,
                   R"(found 0 "dog" that are blue where 1 are asked)"}});
}

TEST(DetectedObjectsRule, RefusalsNameTheEntry) {
  const std::string one = "include { class_name: 'dog' count: 1 } ";
  std::string many_includes, many_excludes;
  for (int i = 0; i < 33; ++i) {
    absl::StrAppend(&many_includes, "include { class_name: 'a", i, "' count: 1 }");
    absl::StrAppend(&many_excludes, "exclude { class_name: 'a", i, "' count: 1 }");
  }
  const std::pair<std::string, std::string> cases[] = {
      {"", "neither include nor exclude has an entry"},
      {"exact_count: true", "neither include nor exclude has an entry"},
      {many_includes, "include has 33 entries; at most 32 are allowed"},
      {many_excludes, "exclude has 33 entries; at most 32 are allowed"},
      {one + "include { count: 1 }", "include[1] has no class_name"},
      {"include { class_name: '" + std::string(129, 'x') + "' count: 1 }",
       "include[0] has a class_name of 129 bytes; at most 128 are allowed"},
      {"include { class_name: 'x' count: 1 color: '" + std::string(129, 'x') + "' }",
       "include[0] has a color of 129 bytes; at most 128 are allowed"},
      {one + "include { class_name: 'x' }", "include[1] has the count 0; it must be 1 to 64"},
      {"include { class_name: 'x' count: -1 }", "include[0] has the count -1"},
      {"include { class_name: 'x' count: 65 }", "include[0] has the count 65"},
      {"exclude { class_name: 'x' count: 2147483647 }", "exclude[0] has the count 2147483647"},
      {"exclude { class_name: 'x' count: 1 } exclude { count: 1 }", "exclude[1] has no class_name"},
      {one + "include { class_name: 'x' count: 1 relation: 'beside' }", "include[1] has an unknown relation"},
      {"include { class_name: 'x' count: 1 relation: 'above' }", "include[0] has the target 0"},
      {one + "include { class_name: 'x' count: 1 relation: 'above' target: 1 }",
       "include[1] has the target 1"},
      {one + "include { class_name: 'x' count: 1 relation: 'above' target: -1 }",
       "include[1] has the target -1"},
      {one + "exclude { class_name: 'dog' count: 1 }",
       "include[0] asks for 1 of a class of which 1 are excluded"},
  };
  for (const auto& [rule, message] : cases) {
    const absl::Status status = CheckDetectedObjectsRule(Parsed(rule));
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << rule;
    EXPECT_THAT(std::string(status.message()), HasSubstr("detected_objects: " + message));
  }
  for (const std::string& rule :
       {one, one + "include { class_name: 'x' count: 64 color: 'mauve' relation: 'above' target: 0 }",
        one + "exclude { class_name: 'dog' count: 2 }", std::string("exclude { class_name: 'x' count: 1 }"),
        "include { class_name: 'x' count: 1 target: 7 }" + one})
    EXPECT_TRUE(CheckDetectedObjectsRule(Parsed(rule)).ok()) << CheckDetectedObjectsRule(Parsed(rule));
}

TEST(DetectedObjectsRule, AcceptsWhatComesOfGenEval) {
  const auto records = GenEvalPrompts(
      R"({"tag":"counting","include":[{"class":"clock","count":2}],"exclude":[{"class":"clock","count":3}],)"
      R"("prompt":"a photo of two clocks"})"
      "\n"
      R"({"tag":"position","include":[{"class":"bear","count":1},{"class":"bench","count":1,"position":["below",0]}],)"
      R"("prompt":"a photo of a bench below a bear"})",
      "rows");
  ASSERT_TRUE(records.ok()) << records.status();
  const std::vector<Detection> right[] = {Many(2, "clock"), {At("bear", 50, 50), At("bench", 50, 150)}};
  const std::vector<Detection> wrong[] = {Many(3, "clock"), {At("bear", 50, 150), At("bench", 50, 50)}};
  for (size_t i = 0; i < 2; ++i) {
    const Rule& rule = (*records)[i].rules(0).detected_objects();
    EXPECT_TRUE(CheckDetectedObjectsRule(rule).ok());
    EXPECT_TRUE(VerifyDetectedObjects(rule, right[i]).holds);
    EXPECT_FALSE(VerifyDetectedObjects(rule, wrong[i]).holds);
  }
}

// The first block of the language json that holds `part`.
std::string ExampleOf(const std::string& document, const std::string& part) {
  const std::string open = "```json\n";
  for (size_t at = document.find(open); at != std::string::npos; at = document.find(open, at + 1)) {
    const size_t begin = at + open.size();
    std::string block = document.substr(begin, document.find("```", begin) - begin);
    if (block.find(part) != std::string::npos) return block;
  }
  return "";
}

// docs/rules_objects.md: its record is read, its detections satisfy it, and the figures are right.
TEST(DetectedObjectsRule, TheDocumentsExampleHolds) {
  const auto document = ReadFile(LVRPO_SOURCE_DIR "/docs/rules_objects.md");
  ASSERT_TRUE(document.ok()) << document.status();
  const TemporaryFolder folder;
  const auto records =
      ReadPromptFile(folder.Write("prompts.jsonl", ExampleOf(*document, "detected_objects")));
  ASSERT_TRUE(records.ok()) << records.status();
  const Rule& rule = records->at(0).rules(0).detected_objects();
  EXPECT_TRUE(CheckDetectedObjectsRule(rule).ok());
  auto detections = DetectionsFromJson(ExampleOf(*document, "objects\": [{\"class"));
  ASSERT_TRUE(detections.ok()) << detections.status();
  EXPECT_TRUE(VerifyDetectedObjects(rule, detections->objects).holds);
  Detection& bench = detections->objects[1];
  bench.color = "green";
  bench.x0 += 400;
  bench.x1 += 400;
  const Verdict verdict = VerifyDetectedObjects(rule, detections->objects);
  EXPECT_DOUBLE_EQ(verdict.grade, 0.6);
  EXPECT_THAT(*document, HasSubstr(verdict.why));
}

// Rules and detections at random, of few classes and places so that much of it fits.
class Random {
 public:
  explicit Random(unsigned seed) : random_(seed) {}

  int Below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }

  Rule ARule() {
    Rule rule;
    const int entries = 1 + Below(4);
    for (int i = 0; i < entries; ++i) {
      Rule::Include& include = *rule.add_include();
      include.set_class_name(kClasses[i]);
      include.set_count(1 + Below(3));
      if (Below(2) == 0) include.set_color(Color());
      if (i > 0 && Below(2) == 0) {
        include.set_relation(kRelations[Below(4)]);
        include.set_target(Below(i));
      }
    }
    if (Below(2) == 0) {
      Rule::Exclude& exclude = *rule.add_exclude();
      exclude.set_class_name(kClasses[Below(6)]);
      exclude.set_count(4 + Below(2));
      if (exclude.class_name() == "e") exclude.set_count(1);
    }
    rule.set_exact_count(Below(2) == 0);
    return rule;
  }

  std::vector<Detection> SomeDetections() {
    std::vector<Detection> detections;
    for (int n = Below(10); n > 0; --n)
      detections.push_back(
          At(kClasses[Below(6)], 50 * Below(5), 50 * Below(5), Color(), 0.25 * (1 + Below(4))));
    return detections;
  }

  const char* Color() { return Below(3) == 0 ? "blue" : "red"; }

  static constexpr const char* kClasses[] = {"a", "b", "c", "d", "e", "f"};
  static constexpr const char* kRelations[] = {"left of", "right of", "above", "below"};

 private:
  std::mt19937 random_;
};

TEST(DetectedObjectsProperties, TheGradeIsOneExactlyWhenTheRuleHolds) {
  Random random(1);
  int held = 0, failed = 0;
  for (int i = 0; i < 200000; ++i) {
    const Rule rule = random.ARule();
    const Verdict verdict = VerifyDetectedObjects(rule, random.SomeDetections());
    EXPECT_GE(verdict.grade, 0);
    EXPECT_LE(verdict.grade, 1);
    EXPECT_EQ(verdict.holds, verdict.grade == 1) << rule.ShortDebugString();
    EXPECT_EQ(verdict.holds, verdict.why.empty());
    ++(verdict.holds ? held : failed);
  }
  EXPECT_GT(held, 1000);
  EXPECT_GT(failed, 1000);
}

// Adding a missing object of the requested colour never lowers the grade, wherever it is.
TEST(DetectedObjectsProperties, AMissingObjectNeverLowersTheGrade) {
  Random random(2);
  int added = 0, raised = 0;
  for (int i = 0; i < 100000; ++i) {
    const Rule rule = random.ARule();
    std::vector<Detection> detections = random.SomeDetections();
    for (const Rule::Include& include : rule.include()) {
      const double least = rule.exact_count() ? 0.9 : 0.3;
      const auto there = std::count_if(detections.begin(), detections.end(), [&](const Detection& one) {
        return one.class_name == include.class_name() && one.score > least;
      });
      if (there >= include.count()) continue;
      const double before = VerifyDetectedObjects(rule, detections).grade;
      detections.insert(detections.begin() + random.Below(static_cast<int>(detections.size()) + 1),
                        At(include.class_name(), 50 * random.Below(5), 50 * random.Below(5), include.color(),
                           0.91 + 0.01 * random.Below(9)));
      const double after = VerifyDetectedObjects(rule, detections).grade;
      ASSERT_GE(after, before) << rule.ShortDebugString();
      ++added;
      raised += after > before;
    }
  }
  EXPECT_GT(added, 50000);
  EXPECT_EQ(raised, added);  // its count alone raises it
}

TEST(DetectedObjectsProperties, TheOrderOfDetectionsDoesNotMatter) {
  Random random(3);
  std::mt19937 shuffle(4);
  for (int i = 0; i < 20000; ++i) {
    const Rule rule = random.ARule();
    std::vector<Detection> detections = random.SomeDetections();
    for (size_t k = 0; k < detections.size(); ++k) detections[k].score -= 1e-4 * static_cast<double>(k);
    const Verdict before = VerifyDetectedObjects(rule, detections);
    std::shuffle(detections.begin(), detections.end(), shuffle);
    const Verdict after = VerifyDetectedObjects(rule, detections);
    EXPECT_EQ(before.grade, after.grade);
    EXPECT_EQ(before.why, after.why);
  }
}

}  // namespace
}  // namespace lvrpo
