#include "verifiers/rules/text_rules.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/verifiers/rule_testing.h"
#include "verifiers/rules/text_measure.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

struct Case {
  std::string text;
  double grade;  // 1: the rule holds
};

template <size_t kCount>
void Expect(const std::string& rule, const Case (&cases)[kCount]) {
  for (const Case& test : cases) {
    const Verdict verdict = Judged(RuleOf(rule), test.text);
    EXPECT_NEAR(verdict.grade, test.grade, 1e-9) << rule << " of " << test.text << ": " << verdict.why;
    EXPECT_EQ(verdict.holds, test.grade == 1) << rule << " of " << test.text;
  }
}

TEST(RegexRule, IsFoundAnywhereOrNowhere) {
  Expect(R"({"regex": {"pattern": "^\\d{4}-\\d\\d$"}})",
         {Case{"2024-05", 1}, {"2024-5", 0}, {"", 0}, {"\n2024-05", 0}});
  Expect(R"({"regex": {"pattern": "(?i)colou?r"}})", {Case{"the COLOR", 1}, {"Colour", 1}, {"hue", 0}});
  Expect(R"({"regex": {"pattern": "[,;]", "must_not_match": true}})", {Case{"a b", 1}, {"a, b", 0}, {"", 1}});
  Expect(R"({"regex": {"pattern": "^.\u00e9.$"}})", {Case{"x\u00E9\U0001F600", 1}, {"xe1", 0}});
  Expect(R"({"regex": {"pattern": "\\p{Greek}"}})", {Case{"\u03B1", 1}, {"a", 0}});
}

// The two rules of docs/rules.md that ask for one thinking part before the answer.
TEST(RegexRule, AskForOneThinkingPartBeforeTheAnswer) {
  Expect(R"({"regex": {"pattern": "(?s)^\\s*<think>\\s*[^\\s<].*</think>\\s*[^\\s<]"}})",
         {Case{"<think> a heart, in cyan </think> cyan", 1},
          {"\n<think>\nx\ny\n</think>\n\ncyan<|im_end|>", 1},
          {"cyan", 0},
          {"so: <think> x </think> cyan", 0},
          {"<think> x cyan", 0},
          {"x </think> cyan", 0},
          {"<think> </think> cyan", 0},
          {"<think></think> x </think> cyan", 0},
          {"<think> x </think>", 0},
          {"<think> x </think> <|im_end|>", 0}});
  Expect(R"({"regex": {"pattern": "(?s)<think>.*<think>|</think>.*</think>", "must_not_match": true}})",
         {Case{"<think> x </think> cyan", 1},
          {"<think> x </think> <think> y </think> cyan", 0},
          {"<think> x </think> cyan </think>", 0},
          {"<think> <think> x </think> cyan", 0}});
}

// An ill-formed byte must not hide a forbidden text from a dot, nor end the search.
TEST(RegexRule, LooksThroughIllFormedText) {
  Expect(R"({"regex": {"pattern": "a.b", "must_not_match": true}})", {Case{"a\xFF"
                                                                           "b",
                                                                           0},
                                                                      {std::string("x\0a-b", 5), 0},
                                                                      {std::string("a\0b", 3), 0}});
}

TEST(RegexRule, TakesLinearTimeWhateverThePattern) {
  const std::string as(1000000, 'a');
  for (const char* pattern :
       {"(a+)+$x", "(a*)*b", "(a|aa)+c", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y", "a{500}b"}) {
    v1::Rule rule;
    rule.mutable_regex()->set_pattern(pattern);
    EXPECT_EQ(Judged(rule, as).grade, 0) << pattern;
  }
}

TEST(RegexRule, RefusesPatternsThatRe2CannotBound) {
  const auto refusal = [](const std::string& pattern) {
    v1::Rule rule;
    rule.mutable_regex()->set_pattern(pattern);
    return Refusal(rule);
  };
  EXPECT_THAT(refusal(""), HasSubstr("empty"));
  EXPECT_THAT(refusal("(a"), HasSubstr("missing )"));
  EXPECT_THAT(refusal("(a)\\1"), HasSubstr("no back-references"));
  EXPECT_THAT(refusal("a(?=b)"), HasSubstr("look-around"));
  EXPECT_THAT(refusal("\xFF"), HasSubstr("not an RE2 pattern"));
  EXPECT_THAT(refusal("((a{100}){100}){100}"), HasSubstr("regex.pattern"));
  EXPECT_THAT(refusal("(.{90}){90}"), HasSubstr("regex.pattern"));
  EXPECT_THAT(refusal(std::string(1001, 'a')), HasSubstr("at most 1000"));
  EXPECT_THAT(refusal(std::string(100000, '(')), HasSubstr("regex.pattern"));
  EXPECT_EQ(refusal(std::string(1000, 'a')), "");
}

TEST(AnswerTagRule, IsThereOnceWithNothingBehind) {
  Expect(R"({"answer_tag": {"tag": "answer"}})", {
                                                     Case{"<answer>42</answer>", 1},
                                                     {"Think. <answer> 42 </answer> \n\t", 1},
                                                     {"<answer>a <b> c</answer>\u00A0", 1},
                                                     {"<answer>42</answer>.", .75},
                                                     {"<answer></answer>", .5},
                                                     {"<answer> \n\u3000</answer>", .5},
                                                     {"<answer>42", .25},
                                                     {"<answer>42</answer></answer>", .25},
                                                     {"</answer>42<answer>", .25},
                                                     {"", 0},
                                                     {"42</answer>", 0},
                                                     {"<answer>1</answer><answer>2</answer>", 0},
                                                     {"<answer><answer>2</answer>", 0},
                                                     {"<Answer>42</Answer>", 0},
                                                     {"< answer>42</answer>", 0},
                                                 });
  EXPECT_THAT(Judged(RuleOf(R"({"answer_tag": {"tag": "a"}})"), "<a>1</a> so").why, HasSubstr("behind </a>"));
}

TEST(AnswerTagRule, WantsAName) {
  for (const char* tag :
       {"", "<answer>", "a b", "\\u00e9", "a\\u0000", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    EXPECT_THAT(Refusal(RuleOf(std::string(R"({"answer_tag": {"tag": ")") + tag + "\"}}")),
                HasSubstr("answer_tag.tag"))
        << tag;
  }
}

TEST(TextMeasure, Counts) {
  struct {
    std::string text;
    int64_t characters, words, sentences, lines;
  } const cases[] = {
      {"", 0, 0, 0, 0},
      {" \n\t ", 0, 0, 0, 0},
      {"word", 4, 1, 1, 1},
      {"  two  words ", 10, 2, 1, 1},
      {"One. Two! Three?", 16, 3, 3, 1},
      {"It costs 3.5 dollars.", 21, 4, 1, 1},
      {"Wait... what?! Yes.", 19, 3, 3, 1},
      {"He said \"No.\" Then (he left.) Done", 34, 7, 3, 1},
      {"... !!! ???", 11, 3, 0, 1},
      {"no end", 6, 2, 1, 1},
      {"\u4ECA\u5929\u3002\u660E\u5929\uFF01", 6, 1, 2, 1},
      {"a\n\n b \r\nc", 9, 3, 1, 3},
      {"a\rb", 3, 2, 1, 2},
      {"e\u0301\U0001F600", 3, 1, 1, 1},
      {"\u3000x\u2028y\u00A0", 3, 2, 1, 1},
      {"Dr. Smith came.", 15, 3, 2, 1},  // as documented
      {"a.b.c", 5, 1, 1, 1},
      {std::string("\0a\0", 3), 3, 1, 1, 1},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(CountCharacters(test.text), test.characters) << test.text;
    EXPECT_EQ(CountWords(test.text), test.words) << test.text;
    EXPECT_EQ(CountSentences(test.text), test.sentences) << test.text;
    EXPECT_EQ(CountLines(test.text), test.lines) << test.text;
  }
}

TEST(LengthRule, GradesByHowFarTheLengthIsOff) {
  Expect(R"({"length": {"unit": "UNIT_WORDS", "least": 2, "most": 4}})",
         {Case{"a b", 1}, {"a b c d", 1}, {"a", .5}, {"", 0}, {"a b c d e", .8}});
  Expect(R"({"length": {"most": 4}})",
         {Case{"", 1}, {"abcd", 1}, {" abcd\n", 1}, {"abcdefgh", .5}, {"\u00E9\u00E9\u00E9\u00E9", 1}});
  Expect(R"({"length": {"unit": "UNIT_SENTENCES", "least": 2}})", {Case{"A. B.", 1}, {"A.", .5}});
  Expect(R"({"length": {"unit": "UNIT_LINES", "least": 2, "most": 2}})",
         {Case{"a\nb", 1}, {"a\n\nb\nc\nd", .5}});
  EXPECT_EQ(
      Judged(RuleOf(R"({"length": {"unit": "UNIT_WORDS", "least": 5, "most": 9}})"), "one two three").why,
      "3 words where 5 to 9 are asked");
}

TEST(LengthRule, WantsBounds) {
  for (const char* rule : {R"({"length": {}})", R"({"length": {"least": -1}})", R"({"length": {"most": -1}})",
                           R"({"length": {"least": 5, "most": 4}})"}) {
    EXPECT_THAT(Refusal(RuleOf(rule)), HasSubstr("length")) << rule;
  }
  v1::Rule rule = RuleOf(R"({"length": {"most": 1}})");
  rule.mutable_length()->set_unit(static_cast<v1::LengthRule::Unit>(17));
  EXPECT_THAT(Refusal(rule), HasSubstr("length.unit is 17"));
}

TEST(ScriptRule, LooksAtTheShareOfLetters) {
  Expect(R"({"script": {"script": "Latin"}})", {Case{"Plain text, 12 words!", 1},
                                                {"\u00C9t\u00E9", 1},
                                                {"abcdefghi\u03B1", 1},
                                                {"\u03B1\u03B2", 0},
                                                {"abcde\u03B1\u03B2\u03B3\u03B4\u03B5", .5 / .9},
                                                {"123 !?", 0},
                                                {"", 0},
                                                {"\xFF\xFE", 0}});
  Expect(R"({"script": {"script": "Han", "least_share": 1}})",
         {Case{"\u4ECA\u5929 2024\u3002", 1}, {"\u4ECA\u5929a", 2. / 3}, {"\U00020000", 1}});
  // The length mark belongs to both kana and counts for neither.
  Expect(R"({"script": {"script": "Katakana"}})", {Case{"\u30B3\u30FC\u30D2\u30FC", 1}, {"\u3053", 0}});
  Expect(R"({"script": {"script": "Cyrillic"}})",
         {Case{"\u041F\u0440\u0438\u0432\u0435\u0442", 1}, {"Привeт", 5 / 6. / .9}});
  Expect(R"({"script": {"script": "Devanagari"}})", {Case{"\u0928\u092E\u0938\u094D\u0924\u0947", 1}});
  Expect(R"({"script": {"script": "Yi"}})", {Case{"\uA000\uA001", 1}});
}

TEST(ScriptRule, WantsTheNameOfAScript) {
  for (const char* name :
       {"", "latin", "L", "Lu", "Any", "Common", "Inherited", "Latin}", "^Latin", "Klingon", "Latn"}) {
    v1::Rule rule;
    rule.mutable_script()->set_script(name);
    EXPECT_THAT(Refusal(rule), HasSubstr("script.script")) << name;
  }
  for (const char* name :
       {"Latin", "Han", "Old_Italic", "SignWriting", "Yi", "Hiragana", "Hangul", "Arabic", "Nko"}) {
    v1::Rule rule;
    rule.mutable_script()->set_script(name);
    EXPECT_EQ(Refusal(rule), "") << name;
  }
  for (const double share : {-.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    v1::Rule rule;
    rule.mutable_script()->set_script("Latin");
    rule.mutable_script()->set_least_share(share);
    EXPECT_THAT(Refusal(rule), HasSubstr("least_share")) << share;
  }
}

}  // namespace
}  // namespace lvrpo
