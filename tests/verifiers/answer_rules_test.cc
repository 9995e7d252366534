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

TEST(NumericAnswerRule, LooksAtWhatStandsAroundABox) {
  const auto holds = [](double value, const char* text) {
    v1::Rule rule;
    rule.mutable_numeric_answer()->set_value(value);
    return Judged(rule, text).holds;
  };
  for (const char* text : {"$\\boxed{5}$ cm",
                           "x = \\boxed{5}",
                           "\\[ \\boxed{5} \\]",
                           "\\boxed{5} \\text{ cm}",
                           "\\boxed{5}\\%",
                           "$\\boxed{5}$.",
                           "The answer is \\boxed{5}.",
                           "**\\boxed{5}**",
                           "$$\n\\boxed{5}\n$$",
                           "\\boxed{5}^\\circ",
                           "\\boxed{5}^{\\circ}\\text{C}",
                           "\\boxed{5}^{\\text{th}}",
                           "2x + 1 = 11, so $x = \\boxed{5}$",
                           "a + b = \\boxed{5}",
                           "x^2 = \\boxed{5}",
                           "\\frac{10}{2} = \\boxed{5}",
                           "\\therefore \\boxed{5}",
                           "x \\approx \\boxed{5}",
                           "\\text{Answer: }\\boxed{5}",
                           "(\\boxed{5})",
                           "\\boxed{\\boxed{5}}",
                           "\\boxed{4}, so \\boxed{5}",
                           "\\boxed{5} and I checked that 7 is wrong",
                           "\\boxed{5}, not 6",
                           "\\boxed{5}, since 4 is wrong",
                           "\\boxed{5} \\blacksquare",
                           "3) \\boxed{5}",
                           "1. \\boxed{5}",
                           "Step 2: \\boxed{5}",
                           "\\boxed{5} - this is it",
                           "\\boxed{5}\n\n3 + 4 is 7",
                           "\\begin{align*} x &= \\boxed{5} \\end{align*}",
                           "- a\n- \\boxed{5}",
                           "\\boxed{5} is not odd",
                           "\u7B54\u6848\u662F\\boxed{5}\u3002",
                           "It is not 4 but \\boxed{5}",
                           "\\$\\boxed{5}",
                           "\\boxed{5} = 2 + 3",
                           "\\boxed{5} apples",
                           "\\color{red}{\\boxed{5}}",
                           "\\boxed{5}$, as 2 < 3"})
    EXPECT_TRUE(holds(5, text)) << text;
  for (const char* text : {"$\\boxed{5} i$",
                           "\\boxed{5} cannot be right",
                           "\uC815\uB2F5\uC740 \\boxed{5}\uAC00 \uC544\uB2C8\uB2E4",
                           "\\boxed{5} or 6",
                           "x = \\boxed{5} or x = 6",
                           "\\boxed{5} to 6",
                           "-\\boxed{5}",
                           "So the answer is -\\boxed{5}.",
                           "So it is $-\\boxed{5}$",
                           "\u2212 \\boxed{5}",
                           "minus \\boxed{5}",
                           "2\\boxed{5}",
                           "2 \\boxed{5}",
                           "2\\cdot\\boxed{5}",
                           "3 + \\boxed{5}",
                           "\\sqrt{\\boxed{5}}",
                           "\\sqrt\\boxed{5}",
                           "\\sin\\boxed{5}",
                           "f(\\boxed{5})",
                           "\\boxed{5}\\pi",
                           "\\boxed{5}\\sqrt{2}",
                           "\\boxed{5}x",
                           "\\boxed{5}^2",
                           "\\boxed{5}\u00B2",
                           "\\boxed{5}!",
                           "\\boxed{5}\\times 10^3",
                           "10^{\\boxed{5}}",
                           "x_{\\boxed{5}}",
                           "\\frac{\\boxed{5}}{2}",
                           "\\frac{2}{\\boxed{5}}",
                           "\\frac12\\boxed{5}",
                           "\\frac12 \\boxed{5}",
                           "x > \\boxed{5}",
                           "x \\ge \\boxed{5}",
                           "x \\ne \\boxed{5}",
                           "x \\le\n\\boxed{5}",
                           "\\pm\\boxed{5}",
                           "It is not \\boxed{5}",
                           "Es ist nicht \\boxed{5}",
                           "\u4E0D\u662F\\boxed{5}",
                           "It is not\n\\boxed{5}",
                           "at most \\boxed{5}",
                           "more than \\boxed{5}",
                           "exceeds \\boxed{5}",
                           "\\boxed{5} is wrong",
                           "\\boxed{5} is incorrect",
                           "\\boxed{5}, which is wrong",
                           "\\boxed{5} (wrong)",
                           "\\boxed{5} is not the answer",
                           "\\boxed{5} isn't right",
                           "\\boxed{5} ist falsch",
                           "\\boxed{5} est faux",
                           "\\boxed{5} \u662F\u9519\u7684",
                           "\\boxed{6}, not \\boxed{5}",
                           "4 or \\boxed{5}",
                           "\\boxed{5} or more",
                           "\\boxed{5} at most",
                           "\\boxed{5} + 3",
                           "\\boxed{5} - x",
                           "\\boxed{5}/2",
                           "\\boxed{5}:3",
                           "\\boxed{5} > 3",
                           "|\\boxed{5}|",
                           "\\boxed{5} million",
                           "\\boxed{5}k",
                           "x\\boxed{5}",
                           "\\int\\boxed{5}",
                           "\u221A\\boxed{5}"})
    EXPECT_FALSE(holds(5, text)) << text;
  EXPECT_FALSE(holds(.5, "$x = -\\boxed{\\frac12}$"));
  EXPECT_FALSE(holds(6, "\\boxed{5}, not \\boxed{6}"));
  struct {
    const char* text;
    double value;
  } const changed[] = {{"-\\boxed{5}", -5},
                       {"$x = -\\boxed{\\frac12}$", -0.5},
                       {"\\boxed{5} million", 5000000.0},
                       {"\\boxed{5}\\%", 0.05},
                       {"\\boxed{5}\\times 10^3", 5000}};
  for (const auto& test : changed) EXPECT_TRUE(holds(test.value, test.text)) << test.text;
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

TEST(ChoiceAnswerRule, TakesTextsWholeAndClaimsAsTheyStand) {
  const char* signs = R"({"choice_answer": {"letter": "B", "choices": ["-2", "2", "$2", "2%"]}})";
  const char* city = R"({"choice_answer": {"letter": "B", "choices": ["Rome", "Paris"]}})";
  const struct {
    const char* rule;
    const char* text;
    bool holds;
  } cases[] = {
      {signs, "2", true},
      {signs, "\\boxed{2}", true},
      {signs, "The answer is $2$.", true},
      {signs, "-2", false},
      {signs, "\\boxed{\u22122}", false},
      {signs, "The answer is $2", false},
      {signs, "2\\%", false},
      {signs, "2:1", false},
      {city, "It is clear that the answer is B.", true},
      {city, "It is false that the answer is B.", false},
      {city, "The answer is B (not A).", true},
      {city, "The answer is B (wrong).", false},
      {city, "The answer is B. Just kidding.", false},
      {city, "The answer is B, since x > 0.", true},
      {city, "The answer is B when x > 0.", false},
      {city, "The answer is B. Or A.", false},
      {city, "The answer is A to B.", false},
      {city, "The answer is Paris, the capital.", true},
      {city, "The answer is Paris, Texas.", false},
      {city, "B, since A is wrong", true},
      {city, "<final>B</final>", true},
      {city, "~~B~~", false},
      {city, "The answer is B. \\boxed{none}", false},
  };
  for (const auto& test : cases)
    EXPECT_EQ(Judged(RuleOf(test.rule), test.text).holds, test.holds) << test.rule << " of " << test.text;
}

}  // namespace
}  // namespace lvrpo
