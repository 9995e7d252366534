#include "verifiers/rules/answer_rules.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/verifiers/rule_testing.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(ExactAnswerRule, LooksPastFormCaseAndWhiteSpace) {
  struct {
    const char* rule;
    std::string text;
    bool holds;
  } const cases[] = {
      {R"({"exact_answer": {"answers": ["New York"]}})", "  new\n york ", true},
      {R"({"exact_answer": {"answers": ["New York"]}})", "NewYork", false},
      {R"({"exact_answer": {"answers": ["New York"]}})", "New York.", false},
      {R"({"exact_answer": {"answers": ["New York", "NYC"]}})", "nyc", true},
      {R"({"exact_answer": {"answers": ["New York"]}})", "In New York", false},
      {R"({"exact_answer": {"answers": ["pH"], "case_sensitive": true}})", "pH", true},
      {R"({"exact_answer": {"answers": ["pH"], "case_sensitive": true}})", "PH", false},
      {R"({"exact_answer": {"answers": ["caf\u00e9"]}})", "CAFE\u0301", true},
      {R"({"exact_answer": {"answers": ["red"], "tag": "answer"}})", "It is <answer> Red </answer>, I think",
       true},
      {R"({"exact_answer": {"answers": ["red"], "tag": "answer"}})", "red", false},
      {R"({"exact_answer": {"answers": ["red"]}})", "<think>blue?</think>\nred<|im_end|>", true},
      {R"({"exact_answer": {"answers": ["red"]}})", "<think>red", false},
      {R"({"exact_answer": {"answers": ["red"], "tag": "think"}})", "<think>red</think> blue", true},
      {R"({"exact_answer": {"answers": ["red"], "tag": "a"}})", "<a>red</a><a>blue</a>", false},
      {R"({"exact_answer": {"answers": ["red"], "tag": "a"}})", "<a>red", false},
      {R"({"exact_answer": {"answers": ["\u039f\u0394\u039f\u03a3"]}})", "\u03BF\u03B4\u03BF\u03C2", true},
      {R"({"exact_answer": {"answers": ["\u039f\u0394\u039f\u03a3"]}})", "\u03BF\u03B4\u03CC\u03C2", false},
      {R"({"exact_answer": {"answers": ["Stra\u00dfe"]}})", "STRASSE", true},
      {R"({"exact_answer": {"answers": ["10"]}})", "\uFF11\uFF10\u200B", true},
      {R"({"exact_answer": {"answers": ["rock 'n' roll"]}})", "Rock \u2018n\u2019 Roll", true},
      {R"({"exact_answer": {"answers": ["1914-1918"]}})", "1914\u20131918", true},
      {R"({"exact_answer": {"answers": ["102"]}})", "10\u00B2", false},
      {R"({"exact_answer": {"answers": ["pH 7"], "case_sensitive": true}})", "pH\u00A0\uFF17", true},
      {R"({"exact_answer": {"answers": ["Ma\u00df"], "case_sensitive": true}})", "Mass", false},
      {R"({"exact_answer": {"answers": ["red"]}})", "\u201Cred\u201D", false},
      {R"({"exact_answer": {"answers": ["red"]}})", "red\xFF", false},
      {R"({"exact_answer": {"answers": ["red"]}})", std::string("red\0", 4), false},
      {R"({"exact_answer": {"answers": ["red"]}})", "", false},
  };
  for (const auto& test : cases) {
    const Verdict verdict = Judged(RuleOf(test.rule), test.text);
    EXPECT_EQ(verdict.holds, test.holds) << test.rule << " of " << test.text;
    EXPECT_EQ(verdict.grade, test.holds ? 1 : 0);
  }
  for (const char* rule : {R"({"exact_answer": {}})", R"({"exact_answer": {"answers": [" \n"]}})",
                           R"({"exact_answer": {"answers": ["a"], "tag": "<a>"}})"}) {
    EXPECT_THAT(Refusal(RuleOf(rule)), HasSubstr("exact_answer.")) << rule;
  }
}

TEST(NumericAnswerRule, IsNear) {
  struct {
    const char* rule;
    const char* text;
    bool holds;
  } const cases[] = {
      {R"({"numeric_answer": {"value": 42}})", "First 7, then 42.", true},
      {R"({"numeric_answer": {"value": 42}})", "42, or 43", false},
      {R"({"numeric_answer": {"value": 42}})", "forty-two", false},
      {R"({"numeric_answer": {"value": 42}})", "42.0000001", true},
      {R"({"numeric_answer": {"value": 42}})", "42.001", false},
      {R"({"numeric_answer": {"value": 0}})", "-0.0", true},
      {R"({"numeric_answer": {"value": 0}})", "1e-300", false},
      {R"({"numeric_answer": {"value": 100, "relative_tolerance": 0.1}})", "91", true},
      {R"({"numeric_answer": {"value": 100, "relative_tolerance": 0.1}})", "89", false},
      {R"({"numeric_answer": {"value": -100, "relative_tolerance": 0.1}})", "-91", true},
      {R"({"numeric_answer": {"value": 1, "absolute_tolerance": 0.5}})", "1.5", true},
      {R"({"numeric_answer": {"value": 1, "absolute_tolerance": 0.5}})", "1.6", false},
      {R"({"numeric_answer": {"value": 0.75}})", "\\boxed{\\frac{3}{4}}, as 1 + 1 = 2", true},
      {R"({"numeric_answer": {"value": 0.75}})", "\\boxed{3/4 or 1/4}", false},
      {R"({"numeric_answer": {"value": 12}})", "12 %", true},
      {R"({"numeric_answer": {"value": 0.12}})", "12 %", true},
      {R"({"numeric_answer": {"value": 0.12}})", "12", false},
      {R"({"numeric_answer": {"value": 5, "tag": "answer"}})", "9 <answer>$5</answer> 8", true},
      {R"({"numeric_answer": {"value": 5, "tag": "answer"}})", "<answer>5 cm</answer>", true},
      {R"({"numeric_answer": {"value": 5, "tag": "answer"}})", "<answer>4 or 5</answer>", false},
      {R"({"numeric_answer": {"value": 5, "tag": "answer"}})", "<answer>5, that is 5.0</answer>", false},
      {R"({"numeric_answer": {"value": 5, "tag": "answer"}})", "<answer>x = 5 = 5.0</answer>", true},
      {R"({"numeric_answer": {"value": 5, "tag": "answer"}})", "<answer>\\boxed{5}, not 6</answer>", true},
      {R"({"numeric_answer": {"value": 2}})", "\\boxed{2\\pi}", false},
      {R"({"numeric_answer": {"value": 2}})", "The side is \u221A2.", false},
      {R"({"numeric_answer": {"value": 25}})", "\\boxed{25\\text{ cm}^2}", true},
      {R"({"numeric_answer": {"value": 2}})", "25 cm^2", false},
      {R"({"numeric_answer": {"value": 234}})", "1 234", false},
      {R"({"numeric_answer": {"value": 0.25}})", "25 per cent", true},
      {R"({"numeric_answer": {"value": 25}})", "25 per cent", true},
      {R"({"numeric_answer": {"value": 5, "tag": "answer"}})", "<answer></answer> 5", false},
      {R"({"numeric_answer": {"value": 5, "tag": "answer"}})", "5", false},
      {R"({"numeric_answer": {"value": 5, "tag": "answer"}})", "<answer>5</answer><answer>6</answer>", false},
      {R"({"numeric_answer": {"value": 4}})", "<think>4</think> I do not know", false},
      {R"({"numeric_answer": {"value": 5}})", "<think>4</think> 5<|im_end|>", true},
      {R"({"numeric_answer": {"value": 4}})", "5 <think>and 4", false},
      {R"({"numeric_answer": {"value": 1e300}})", "1e300", true},
      {R"({"numeric_answer": {"value": 1e300}})", "1e999", false},
  };
  for (const auto& test : cases) {
    const Verdict verdict = Judged(RuleOf(test.rule), test.text);
    EXPECT_EQ(verdict.holds, test.holds) << test.rule << " of " << test.text << ": " << verdict.why;
    EXPECT_EQ(verdict.grade, test.holds ? 1 : 0);
  }
  for (const char* rule :
       {R"({"numeric_answer": {"value": "NaN"}})", R"({"numeric_answer": {"value": "Infinity"}})",
        R"({"numeric_answer": {"relative_tolerance": -1}})",
        R"({"numeric_answer": {"relative_tolerance": 1}})",
        R"({"numeric_answer": {"absolute_tolerance": "Infinity"}})",
        R"({"numeric_answer": {"tag": "a>"}})"}) {
    EXPECT_THAT(Refusal(RuleOf(rule)), HasSubstr("numeric_answer.")) << rule;
  }
}

TEST(ChoiceAnswerRule, WantsOneLetter) {
  const char* rule = R"({"choice_answer": {"letter": "B", "choices": ["Rome", "Paris"], "tag": "answer"}})";
  EXPECT_TRUE(Judged(RuleOf(rule), "A? No. <answer>B</answer>").holds);
  EXPECT_TRUE(Judged(RuleOf(rule), "<answer>Paris</answer>").holds);
  EXPECT_FALSE(Judged(RuleOf(rule), "B").holds);
  EXPECT_EQ(Judged(RuleOf(rule), "<answer>A or B</answer>").why, "several choices are named: A, B");
  EXPECT_EQ(Judged(RuleOf(rule), "<answer>not B</answer>").why, "no choice is named");
  EXPECT_TRUE(Judged(RuleOf(rule), "<think><answer>A</answer>?</think><answer>B</answer><|im_end|>").holds);
  EXPECT_EQ(Judged(RuleOf(rule), "<answer>answer: A or B</answer>").why, "several choices are named: A, B");
  EXPECT_EQ(Judged(RuleOf(rule), "<answer>A</answer>").why, "the choice is A where B is asked");
  EXPECT_EQ(Judged(RuleOf(rule), "<answer>A</answer>").grade, 0);
  for (const char* bad : {R"({"choice_answer": {}})", R"({"choice_answer": {"letter": "b"}})",
                          R"({"choice_answer": {"letter": "AB"}})",
                          R"({"choice_answer": {"letter": "C", "choices": ["x", "y"]}})",
                          R"({"choice_answer": {"letter": "A", "choices": ["x", " X "]}})",
                          R"({"choice_answer": {"letter": "A", "choices": ["x", ""]}})",
                          R"({"choice_answer": {"letter": "A", "tag": " "}})"}) {
    EXPECT_THAT(Refusal(RuleOf(bad)), HasSubstr("choice_answer")) << bad;
  }
}

}  // namespace
}  // namespace lvrpo
