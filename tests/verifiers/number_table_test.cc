#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/verifiers/number_case.h"
#include "verifiers/answers/boxed.h"
#include "verifiers/numbers/number_in_text.h"

namespace lvrpo {
namespace {

// A file of numbers, one a line: the "text", whether it is "in" a box or tag or ends with the number, and the
// "value", null where there is none.
class NumberTable : public ::testing::TestWithParam<const char*> {};

TEST_P(NumberTable, HasTheNumberOfEachText) {
  std::ifstream file(
      absl::StrCat(LVRPO_SOURCE_DIR, "/tests/verifiers/testdata/numbers/", GetParam(), ".jsonl"));
  int cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    const nlohmann::json test = nlohmann::json::parse(line);
    const std::string text = test["text"], in = test["in"];
    ASSERT_TRUE(in == "box" || in == "text") << line;
    const double value = test["value"].is_null() ? kNone : test["value"].get<double>();
    Expect(in == "box" ? WholeNumber(text) : LastNumber(text), {"", value, test.value("percent", false)},
           line);
  }
  EXPECT_GT(cases, 20);
}

INSTANTIATE_TEST_SUITE_P(Files, NumberTable,
                         ::testing::Values("box", "box_relations", "text", "text_equations", "text_lines",
                                           "denials", "digits", "expressions", "fractions", "percent",
                                           "pieces", "scales", "signs", "units"),
                         [](const auto& test) { return std::string(test.param); });

// Pieces after which a reader might look at all that follows, each time again: it would not end within this
// test's time limit.
TEST(NumberInText, LooksAtEachPlaceABoundedNumberOfTimes) {
  for (const char* piece :
       {"1 234 ",    "(",     "{",       "\\frac{", "-",        "<a ",    "sqrt_",    "a_",        "x_1",
        "1,",        "1'234", "\\text{", "*",       "\\boxed{", "5 m/s ", "1/2",      "^",         "[1](",
        "- ",        "1e",    "\\",      "=1",      "'",        "=x",     "{-",       "\\frac{1}", "1 x ",
        "-(",        "~~5",   "<s>",     "&a",      "$5 ",      "f(",     "x=",       "5\u5143",   "a\nnot ",
        "5 J/(kg K", "^7/_8", "<sup>7",  "5-",      "{{",       "5 too ", "without ", "5 no es ",  "(out "}) {
    std::string text;
    while (text.size() < 100000) text += piece;
    for (const std::optional<NumberInText>& number : {LastNumber(text), WholeNumber(text)})
      EXPECT_TRUE(!number.has_value() || std::isfinite(number->value)) << piece;
    EXPECT_LE(LastBoxed(text).value_or(Boxed{}).content.size(), text.size()) << piece;
    EXPECT_FALSE(NumberOfBox({2, false}, text, "\n5").value_or(NumberInText()).percent) << piece;
  }
}

TEST(NumberInText, EndsBeforeAZeroByte) { EXPECT_EQ(LastNumber(std::string("5\0", 2))->value, 5); }

}  // namespace
}  // namespace lvrpo
