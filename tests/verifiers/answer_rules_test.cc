#include "verifiers/answer_rules.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/verifiers/rule_testing.h"
#include "verifiers/choice_letter.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(ExactAnswerRule, LooksPastCaseAndWhiteSpace) {
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
      {R"({"exact_answer": {"answers": ["red"], "tag": "a"}})", "<a>red</a><a>blue</a>", false},
      {R"({"exact_answer": {"answers": ["red"], "tag": "a"}})", "<a>red", false},
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

std::string Claimed(const std::string& text, const std::vector<std::string>& choices = {}) {
  const std::set<char> letters = ClaimedLetters(text, choices);
  return {letters.begin(), letters.end()};
}

TEST(ChoiceLetter, IsWhatTheAnswerClaims) {
  struct {
    const char *text, *letters;
  } const cases[] = {
      {"B", "B"},
      {"b", "B"},
      {" (b) ", "B"},
      {"(B).", "B"},
      {"B.", "B"},
      {"b)", "B"},
      {"[B]", "B"},
      {"**B**", "B"},
      {"$B$", "B"},
      {"\"B\"", "B"},
      {"\\boxed{B}", "B"},
      {"\\boxed{\\text{(B)}}", "B"},
      {"Answer: B", "B"},
      {"ANSWER: b", "B"},
      {"answer - B", ""},
      {"**Answer:** B", "B"},
      {"**Answer: B**", "B"},
      {"Answer:\nB", "B"},
      {"the answer is B", "B"},
      {"The answer is (B)", "B"},
      {"the answer is (B), because A is wrong.", "B"},
      {"The final answer is: **(B)**.", "B"},
      {"The correct option is B.", "B"},
      {"So the correct answer is option B: Paris", "B"},
      {"Answer: B because it is red", "B"},
      {"B. Paris", "B"},
      {"(B) Paris", "B"},
      {"b. paris", ""},
      {"Let me think.\nA is too small.\n\nB", "B"},
      {"Let me think.\n\n**B**\n", "B"},
      {"Reasons:\nI like it.\n(C)", "C"},
      {"A. one\nB. two\nC. three\nThe answer is C.", "C"},
      {"A. one\nB. two\nC. three", "ABC"},
      {"A) one\nB) two", "AB"},
      {"The answer is A or B", "AB"},
      {"The answer is either A or B", "AB"},
      {"Answer: A, B, and C", "ABC"},
      {"Answer: A/B", "AB"},
      {"answer is (A) and (B)", "AB"},
      {"The answer is A. No, the answer is B.", "AB"},
      {"\\boxed{A} \\boxed{B}", "AB"},
      {"A B", ""},
      {"AB", ""},
      {"The answer is not B", ""},
      {"The answer isn't B", ""},
      {"the answer is a dog", ""},
      {"The answer is I think something", ""},
      {"answer: I'm not sure", ""},
      {"Answer: Paris", ""},
      {"It is a dog. I saw a cat.", ""},
      {"answer: b, a city", "B"},
      {"The answer is B\u00E9b\u00E9", ""},
      {"", ""},
      {"?", ""},
      {"answer:", ""},
      {"answer: (", ""},
  };
  for (const auto& test : cases) EXPECT_EQ(Claimed(test.text), test.letters) << test.text;
}

TEST(ChoiceLetter, KnowsTheChoicesOwnTexts) {
  const std::vector<std::string> choices = {"Rome", "Paris", "a dog", "New York"};
  struct {
    const char *text, *letters;
  } const cases[] = {
      {"Paris", "B"},
      {" paris. ", "B"},
      {"**Paris**", ""},  // opened with marks that a text may have; the tag or a letter serves better
      {"The answer is Paris.", "B"},
      {"Answer: a dog", "C"},
      {"answer: new  york", "D"},
      {"The answer is Berlin.", ""},
      {"Paris or Rome", ""},
      {"The answer is Paris. The answer is A.", "A"},
      {"A", "A"},
      {"The answer is Paris.\nThe answer is Rome.", "AB"},
  };
  for (const auto& test : cases) EXPECT_EQ(Claimed(test.text, choices), test.letters) << test.text;
  EXPECT_EQ(Claimed("A", {"B", "A"}), "A");  // the letter, not the text
}

TEST(ChoiceAnswerRule, WantsOneLetter) {
  const char* rule = R"({"choice_answer": {"letter": "B", "choices": ["Rome", "Paris"], "tag": "answer"}})";
  EXPECT_TRUE(Judged(RuleOf(rule), "A? No. <answer>B</answer>").holds);
  EXPECT_TRUE(Judged(RuleOf(rule), "<answer>Paris</answer>").holds);
  EXPECT_FALSE(Judged(RuleOf(rule), "B").holds);
  EXPECT_EQ(Judged(RuleOf(rule), "<answer>A or B</answer>").why, "no choice is named");
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
