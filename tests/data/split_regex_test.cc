#include "data/tokenizer/split_regex.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Matches(const std::string& regex, const std::string& text) {
  const auto made = SplitRegex::Create(regex);
  EXPECT_TRUE(made.ok()) << made.status();
  std::vector<std::string> matches;
  for (size_t at = 0; made.ok();) {
    const auto match = (*made)->Find(text, at);
    EXPECT_TRUE(match.ok()) << match.status();
    if (!match.ok() || !match->has_value()) break;
    matches.push_back(text.substr((*match)->begin, (*match)->end - (*match)->begin));
    at = (*match)->end;
  }
  return matches;
}

TEST(SplitRegex, MatchesAsOnigurumaDoes) {
  EXPECT_THAT(Matches(R"(\p{L}+(?=\d)|\d{1,2})", "ab12345c"), ElementsAre("ab", "12", "34", "5"));
  EXPECT_THAT(Matches(R"(\s+(?!\S)|\s+)", "a  b "), ElementsAre(" ", " ", " "));
  EXPECT_THAT(Matches(R"((?i:'S))", "'s'S'\u017F"), ElementsAre("'s", "'S", "'\u017F"));
  EXPECT_THAT(Matches(R"(\w+)", "a\u0301_1-\u203F\u00B2"), ElementsAre("a\u0301_1", "\u203F"));  // no U+00B2
  EXPECT_THAT(Matches(R"(\s)", "\u180E\u0085\u3000"), ElementsAre("\u0085", "\u3000"));
  EXPECT_THAT(Matches(R"([^\s\w]+)", "a!? \u0301?"), ElementsAre("!?", "?"));
  EXPECT_THAT(Matches(R"([\]x]+)", "]x["), ElementsAre("]x"));
  EXPECT_THAT(Matches(R"(\p{L}++\p{N}?+)", "ab1"), ElementsAre("ab1"));
  EXPECT_THAT(Matches(R"(\bx\b)", "x xx x\u0301 x"), ElementsAre("x", "x"));
  EXPECT_THAT(Matches(R"(\u4e2d|\x{6587}|\.)", "\u4E2D\u6587."), ElementsAre("\u4E2D", "\u6587", "."));
  EXPECT_THAT(Matches(R"((?i)a|b)", "AB"), ElementsAre("A", "B"));
}

TEST(SplitRegex, RefusesWhatMeansSomethingElse) {
  for (const char* regex :
       {R"(\h)",          R"([\h])",     R"(\R)",       R"(\X)",    R"(a\K)",   R"([a&&b])", R"([a[bc]])",
        R"([[:alpha:]])", R"((?m)a)",    R"(a(?i)b|c)", R"((a)\1)", R"(a{2}+)", R"(a{,3})",  R"((*COMMIT)a)",
        R"((?R)a)",       R"((?P<n>a))", R"((?#x)a)",   R"([\W])",  R"(x*)",    R"(a|)",     R"((?=a))"}) {
    const auto made = SplitRegex::Create(regex);
    EXPECT_TRUE(absl::IsUnimplemented(made.status())) << regex << " " << made.status();
    EXPECT_THAT(std::string(made.status().message()), HasSubstr("regular expression"));
  }
  for (const std::string& regex : {std::string("("), std::string("["), std::string("a\\"),
                                   std::string("\\p{Nothing}"), std::string("(?<=a+)b"), std::string("*"),
                                   std::string("\xFF"), std::string(1 << 20, 'a'), std::string(500, '(')}) {
    EXPECT_TRUE(absl::IsInvalidArgument(SplitRegex::Create(regex).status())) << regex.substr(0, 20);
  }
}

TEST(SplitRegex, GivesUpWhenItTakesTooLong) {
  const auto made = SplitRegex::Create("(a+)+[bd]");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(absl::IsResourceExhausted((*made)->Find(std::string(64, 'a') + "c", 0).status()));
}

}  // namespace
}  // namespace lvrpo
