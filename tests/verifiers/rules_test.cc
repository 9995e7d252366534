#include "verifiers/rules/rules.h"

#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files/file.h"
#include "data/prompts/prompts.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/cpu_time.h"
#include "tests/verifiers/rule_testing.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

// One of each kind about text.
const char* const kTextRules[] = {
    R"({"regex": {"pattern": "(?i)(a+)+b|\\d{3,9}"}})",
    R"({"regex": {"pattern": ".", "must_not_match": true}})",
    R"({"json_schema": {"schema": "{\"type\": \"object\", \"uniqueItems\": true}"}})",
    R"({"json_schema": {"schema": "{}", "tag": "answer"}})",
    R"({"answer_tag": {"tag": "answer"}})",
    R"({"length": {"most": 9}})",
    R"({"length": {"unit": "UNIT_WORDS", "least": 2}})",
    R"({"length": {"unit": "UNIT_SENTENCES", "most": 3}})",
    R"({"length": {"unit": "UNIT_LINES", "most": 3}})",
    R"({"script": {"script": "Latin"}})",
    R"({"exact_answer": {"answers": ["yes", "y"]}})",
    R"({"numeric_answer": {"value": 42}})",
    R"({"numeric_answer": {"value": 42, "tag": "answer"}})",
    R"({"choice_answer": {"letter": "B", "choices": ["Rome", "Paris"]}})",
    R"({"choice_answer": {"letter": "B"}})",
};

std::string Repeated(const std::string& part, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += part;
  return text;
}

// A megabyte of what might cost more than linear time, or overflow a stack, and bytes that are no text.
TEST(Rules, JudgeHostileAnswers) {
  constexpr size_t kBytes = 1000000;
  std::string every_byte;
  for (int i = 0; i < 256; ++i) every_byte += static_cast<char>(i);
  std::vector<std::string> texts = {std::string(kBytes, '\0'), std::string(kBytes, '\xFF'),
                                    std::string("\xF0\x9F")};
  for (const std::string& part : {std::string("a"),
                                  std::string("("),
                                  std::string("["),
                                  std::string("{\"a\":"),
                                  std::string("\\boxed{"),
                                  std::string("\\frac{1}{"),
                                  std::string("1 "),
                                  std::string("1,111,"),
                                  std::string("9"),
                                  std::string("1/"),
                                  std::string("1e"),
                                  std::string("-$"),
                                  std::string("answer: "),
                                  std::string("answer is "),
                                  std::string("answer: ("),
                                  std::string("A or "),
                                  std::string("A. x\n"),
                                  std::string("<answer>"),
                                  std::string("</answer>"),
                                  std::string(". "),
                                  std::string("...."),
                                  std::string(".\""),
                                  std::string("\r\n"),
                                  std::string("\u0301"),
                                  std::string("\u0315\u0300"),
                                  std::string("a\u03B1"),
                                  std::string("\u30FC"),
                                  std::string("\uFDFA"),
                                  std::string("correct  "),
                                  std::string("the answer is Paris "),
                                  std::string("\\"),
                                  std::string("** "),
                                  std::string("_"),
                                  std::string("10^"),
                                  std::string("1 x "),
                                  every_byte}) {
    texts.push_back(Repeated(part, kBytes));
  }
  for (const char* json : kTextRules) {
    const v1::Rule rule = RuleOf(json);
    EXPECT_EQ(Refusal(rule), "") << json;
    for (const std::string& text : texts) {
      const double begin = CpuSeconds();
      (void)Judged(rule, text);
      // Usually a hundredth of it.
      EXPECT_LT(CpuSeconds() - begin, CpuBound(10)) << json << " of " << text.substr(0, 20);
    }
    (void)Judged(rule, "");
  }
}

TEST(Rules, AboutImagesCannotJudgeText) {
  for (const char* rule : {R"({"image_size": {"width": 8}})", R"({"aspect_ratio": {"ratio": 1}})",
                           R"({"written_text": {"text": "a"}})", R"({"detected_objects": {}})"}) {
    const auto verdict = VerifyText(RuleOf(rule), "x");
    EXPECT_EQ(verdict.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(verdict.status().message()), HasSubstr("is about images")) << rule;
  }
  EXPECT_THAT(Refusal(v1::Rule()), HasSubstr("the rule is empty"));
}

TEST(Rules, AboutSizesHaveBounds) {
  const auto message = [](const v1::Rule& rule) { return std::string(CheckRule(rule).message()); };
  for (const auto& [width, height] :
       {std::pair{0, 0}, {-1, 8}, {8, -1}, {65537, 8}, {std::numeric_limits<int32_t>::min(), 0}}) {
    v1::Rule rule;
    rule.mutable_image_size()->set_width(width);
    rule.mutable_image_size()->set_height(height);
    EXPECT_THAT(message(rule), HasSubstr("image_size asks for")) << width << "x" << height;
  }
  EXPECT_EQ(message(RuleOf(R"({"image_size": {"width": 8}})")), "");
  for (const double ratio : {0.0, -1.0, 1e9, std::numeric_limits<double>::quiet_NaN()}) {
    v1::Rule rule;
    rule.mutable_aspect_ratio()->set_ratio(ratio);
    EXPECT_THAT(message(rule), HasSubstr("aspect_ratio.ratio")) << ratio;
  }
  EXPECT_THAT(message(RuleOf(R"({"aspect_ratio": {"ratio": 1.5, "tolerance": -1}})")),
              HasSubstr("tolerance"));
  EXPECT_EQ(message(RuleOf(R"({"aspect_ratio": {"ratio": 1.5}})")), "");
}

// The examples of the documentation are prompt records, and their rules can be judged.
TEST(Rules, AreDocumentedByExamplesThatAreTaken) {
  const absl::StatusOr<std::string> page = ReadFile(absl::StrCat(LVRPO_SOURCE_DIR, "/docs/rules.md"));
  ASSERT_TRUE(page.ok()) << page.status();
  std::set<int> kinds;
  for (const absl::string_view line : absl::StrSplit(*page, '\n')) {
    if (!absl::StartsWith(line, "{\"id\"")) continue;
    v1::PromptRecord record;
    const auto parsed = google::protobuf::util::JsonStringToMessage(std::string(line), &record);
    ASSERT_TRUE(parsed.ok()) << line << ": " << parsed.message();
    EXPECT_GT(record.rules_size(), 0) << line;
    for (const v1::Rule& rule : record.rules()) {
      EXPECT_EQ(CheckRule(rule), absl::OkStatus()) << line;
      kinds.insert(rule.rule_case());
    }
  }
  EXPECT_EQ(kinds.size(), 11u) << "kinds with an example";
}

}  // namespace
}  // namespace lvrpo
