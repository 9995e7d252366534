#include "verifiers/answers/boxed.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(LastBoxed, IsTheLastThatIsClosed) {
  struct {
    const char *text, *content;
  } const cases[] = {{"\\boxed{1} and \\boxed{\\frac{3}{4}} end", "\\frac{3}{4}"},
                     {"\\boxed{}", ""},
                     {"\\boxed  {5}", "5"},
                     {"\\boxed 5", "5"},
                     {"$\\boxed5$ or 6", "5"},
                     {"\\fbox{5}", "5"},
                     {"\\boxed{\\boxed{5}}", "5"},
                     {"\\boxed{\\{1\\}} x", "\\{1\\}"}};
  for (const auto& test : cases) {
    const std::optional<Boxed> box = LastBoxed(test.text);
    ASSERT_TRUE(box.has_value()) << test.text;
    EXPECT_EQ(box->content, test.content) << test.text;
  }
  for (const char* text : {"\\boxed{1", "boxed{1}", "\\boxed", "\\boxedx{1}", "", "\\", "5"})
    EXPECT_FALSE(LastBoxed(text).has_value()) << text;
}

TEST(LastBoxed, SaysWhatIsAround) {
  const std::optional<Boxed> braces = LastBoxed("a \\boxed {5}^2");
  ASSERT_TRUE(braces.has_value());
  EXPECT_EQ(braces->before, "a ");
  EXPECT_EQ(braces->after, "^2");
  const std::optional<Boxed> word = LastBoxed("-\\boxed 5$ b");
  ASSERT_TRUE(word.has_value());
  EXPECT_EQ(word->before, "-");
  EXPECT_EQ(word->after, "$ b");
}

}  // namespace
}  // namespace lvrpo
