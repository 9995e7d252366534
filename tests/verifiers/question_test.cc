#include "verifiers/rules/question.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "data/prompts/prompts.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(CheckQuestions, EachHasOneRightAnswerAmongDifferentChoices) {
  const struct {
    std::string question, says;  // "": it is fine
  } cases[] = {
      {R"({"text":"?","answer":"yes","choices":["yes","no"]})", ""},
      {R"({"text":"?","answer":"no","choices":["yes","no"]})", ""},
      {R"({"text":"?","answer":"café","choices":["café","cafe"]})", ""},
      {R"({"text":"?","answer":"1","choices":["1","11"]})", ""},
      {R"({"text":"?","answer":"maybe","choices":["yes","no"]})",
       "has a question ('?') whose answer 'maybe' is none of its choices"},
      {R"({"text":"?","answer":"Yes","choices":["yes","no"]})", "none of its choices; it has 'yes'"},
      {R"({"text":"?","answer":" yes","choices":["yes","no"]})", "none of its choices; it has 'yes'"},
      {R"({"text":"?","answer":"","choices":["yes","no"]})", "whose answer '' is none of its choices"},
      {R"({"text":"?","choices":["yes","no"]})", "whose answer '' is none of its choices"},
      {R"({"text":"?","answer":"yes","choices":["yes"]})", "has a question ('?') with one choice"},
      {R"({"text":"?","answer":"yes"})", "with no choices"},
      {R"({"text":"?","answer":"yes","choices":["yes","no","yes"]})", "with the choice 'yes' twice"},
      {R"({"text":"?","answer":"yes","choices":["yes","no","Yes"]})",
       "whose choices 'yes' and 'Yes' count as the same"},
      {R"({"text":"?","answer":"1","choices":["1","\uff11"]})", "count as the same"},     // full width
      {R"({"text":"?","answer":"a b","choices":["a b","a  b "]})", "count as the same"},  // blanks
      {R"({"text":"?","answer":"x","choices":["x","stra\u00dfe","STRASSE"]})", "count as the same"},
      {R"({"text":"?","answer":"\u00e9","choices":["\u00e9","e\u0301"]})", "count as the same"},
      {R"({"text":"?","answer":"yes","choices":["yes"," "]})", "with an empty choice"},
      {R"({"text":" ","answer":"yes","choices":["yes","no"]})", "has a question without a text"},
      {R"({"text":"?","answer":"yes","choices":["yes","yes\u200b"]})", "count as the same"},    // no width
      {R"({"text":"?","answer":"it's","choices":["it's","it\u2019s"]})", "count as the same"},  // quotes
      {R"({"text":"?","answer":"-1","choices":["-1","\u22121","1"]})", "count as the same"},    // minus signs
      {R"({"text":"?","answer":"-1","choices":["-1","1"]})", ""},
      {R"({"text":"?","answer":"resume","choices":["resume","r\u00e9sum\u00e9"]})", ""},  // accents count
  };
  for (const auto& test : cases) {
    const auto prompt = PromptFromJson(absl::StrCat(R"({"id":"a","questions":[)", test.question, "]}"));
    ASSERT_TRUE(prompt.ok()) << prompt.status();
    const absl::Status status = CheckQuestions(*prompt);
    if (test.says.empty()) {
      EXPECT_TRUE(status.ok()) << status;
      continue;
    }
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << test.question;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("prompt 'a' has a question "), HasSubstr(test.says)));
  }
}

TEST(CheckQuestions, TheFirstWrongOneIsNamed) {
  const auto prompt = PromptFromJson(
      R"({"id":"a","questions":[{"text":"one ?","answer":"x","choices":["x","y"]},{"text":"two ?","answer":"z","choices":["x","y"]}]})");
  EXPECT_THAT(std::string(CheckQuestions(*prompt).message()), HasSubstr("('two ?') whose answer 'z'"));
  EXPECT_TRUE(CheckQuestions(v1::PromptRecord()).ok());
}

}  // namespace
}  // namespace lvrpo
