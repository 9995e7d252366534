#include "verifiers/choices/choice_letter.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "verifiers/answers/final_text.h"
#include "verifiers/answers/tag.h"

namespace lvrpo {
namespace {

std::string Claimed(absl::string_view text, const std::vector<std::string>& choices = {},
                    bool marked = false) {
  const std::set<char> letters = ClaimedLetters(text, choices, marked);
  return {letters.begin(), letters.end()};
}

// A file of answers, one a line, and what a careful reader says that they claim: one letter, or none ("" or
// several letters: whether it is none or several is not tested).
class ChoiceLetterOf : public ::testing::TestWithParam<const char*> {};

TEST_P(ChoiceLetterOf, IsWhatTheAnswerClaims) {
  std::ifstream file(
      absl::StrCat(LVRPO_SOURCE_DIR, "/tests/verifiers/testdata/choices/", GetParam(), ".jsonl"));
  int cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    const nlohmann::json test = nlohmann::json::parse(line);
    const auto choices = test.value("choices", std::vector<std::string>{"Rome", "Paris", "Bonn", "Oslo"});
    const std::string text = test["text"], tag = test.value("tag", ""), claims = test["claims"];
    const std::string final_text = FinalText(text, tag);
    const std::string claimed = Claimed(*AnswerPart(final_text, tag), choices, !tag.empty());
    if (claims.size() == 1) {
      EXPECT_EQ(claimed, claims) << line;
    } else {
      EXPECT_NE(claimed.size(), 1) << line << ": " << claimed;
    }
  }
  EXPECT_GT(cases, 40);
}

INSTANTIATE_TEST_SUITE_P(Languages, ChoiceLetterOf,
                         ::testing::Values("english", "german", "french", "spanish", "italian", "portuguese",
                                           "russian", "chinese", "japanese", "korean", "choices"),
                         [](const auto& test) { return std::string(test.param); });

TEST(ChoiceLetter, IsEveryOneThatIsClaimed) {
  EXPECT_EQ(Claimed("The answer is A or B"), "AB");
  EXPECT_EQ(Claimed("Answer: A, B, and C"), "ABC");
  EXPECT_EQ(Claimed("A. one\nB. two", {"one", "two"}), "AB");
  EXPECT_EQ(Claimed("\\boxed{A} \\boxed{B}"), "AB");
  EXPECT_EQ(Claimed("The answer is B. Rome", {"Rome", "Paris"}), "AB");  // the letter and another's text
}

TEST(ChoiceLetter, NeedsTheChoicesToKnowALineFromAReason) {
  EXPECT_EQ(Claimed("B. Paris", {"Rome", "Paris"}), "B");
  EXPECT_EQ(Claimed("B. Paris"), "");
  EXPECT_EQ(Claimed("B. Paris", {}, /*marked=*/true), "B");
  EXPECT_EQ(Claimed("\\boxed{B. Paris}"), "B");
}

TEST(ChoiceLetter, TakesLinearTimeForAnyText) {
  const std::vector<std::string> choices = {"Rome", "Paris"};
  for (const char* part : {"B ",
                           "B\n",
                           "the ",
                           "not ",
                           "the answer is B. ",
                           "\\boxed{",
                           "\\boxed{B} ",
                           "\\text{",
                           "}",
                           "<answer>",
                           "A or ",
                           "A, ",
                           "(",
                           "\\",
                           "a.",
                           "a-",
                           "'",
                           "~~a",
                           "*a",
                           "$5 ",
                           "- ",
                           "<s>",
                           "<final>",
                           "<<",
                           "A (or ",
                           "A. Or ",
                           "B, since ",
                           "B because A, ",
                           "\n",
                           "\u7B54\u6848\u662F",
                           "\u3067\u306F\u306A\u304B\u3063\u305F"}) {
    std::string text;
    while (text.size() < 50000) text += part;
    Claimed(text, choices);
  }
  std::string nested = "B";
  for (int i = 0; i < 200; ++i) nested = absl::StrCat("\\boxed{", nested, "}");
  EXPECT_EQ(Claimed(nested), "B");
}

TEST(ChoiceLetter, IsReadWhateverTheBytes) {
  EXPECT_EQ(Claimed(std::string("B\0", 2)), "");
  EXPECT_EQ(Claimed("x B.\u00E8"), "");
  EXPECT_EQ(Claimed("<"), "");
  EXPECT_EQ(Claimed("\\"), "");
  EXPECT_EQ(Claimed("\\boxed{B"), "B");
}

}  // namespace
}  // namespace lvrpo
