#include "common/http/excerpt.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Excerpt, IsTheFirst200BytesInOneLine) {
  EXPECT_EQ(Excerpt("<html>\r\n  <body>Please log in</body>\n</html>", {}),
            "<html> <body>Please log in</body> </html>");
  EXPECT_EQ(Excerpt("", {}), "");
  EXPECT_EQ(Excerpt(" \n\t", {}), "");
  EXPECT_EQ(Excerpt("a\x01"
                    "b\xFF",
                    {}),
            "a b\xEF\xBF\xBD");
  EXPECT_EQ(Excerpt(std::string(200, 'x'), {}), std::string(200, 'x'));
  EXPECT_EQ(Excerpt(std::string(201, 'x'), {}), std::string(200, 'x') + " ...");
  EXPECT_EQ(Excerpt(std::string(5000, 'x'), {}), std::string(200, 'x') + " ...");
}

TEST(Excerpt, IsCutBetweenCharacters) {
  std::string text = "a";
  for (int i = 0; i < 150; ++i) text += "\xC3\xA9";
  EXPECT_EQ(Excerpt(text, {}), text.substr(0, 199) + " ...");
}

TEST(Excerpt, ShowsNoPartOfASecret) {
  const std::string key = "sk-proj-AbCdEfGhIjKlMnOp";
  const std::vector<std::string> secrets = {key, "pw", "sekret"};
  const std::pair<std::string, std::string> cases[] = {
      {absl::StrCat("Incorrect API key provided: ", key, "."), "Incorrect API key provided: [key]."},
      {absl::StrCat("{\"key\":\"", key, "\"}"), "{\"key\":\"[key]\"}"},
      {absl::StrCat("GET /v1?k=", key, "&x=1"), "GET /v1?k=[key]&x=1"},
      {"Incorrect API key provided: sk-proj-********MnOp.", "Incorrect API key provided: [key]"},
      {"your key (sk-proj-A...) has expired", "your key ([key]) has expired"},
      {"unknown key GhIjKlMnOp", "unknown key [key]"},
      {"user pw is not known, pwd neither", "user [key] is not known, pwd neither"},
      {"x-api-key=sekret", "x-api-key=[key]"},
      {"a ** b", "a ** b"},
  };
  for (const auto& [body, shown] : cases) EXPECT_EQ(Excerpt(body, secrets), shown);
  // Not even where the excerpt ends inside of it.
  for (size_t before = 170; before < 205; ++before) {
    const std::string excerpt = Excerpt(absl::StrCat(std::string(before, '.'), " ", key), secrets);
    EXPECT_THAT(excerpt, Not(HasSubstr("AbCdEfGh"))) << before;
    EXPECT_THAT(excerpt, Not(HasSubstr("sk-pr"))) << before;
  }
}

}  // namespace
}  // namespace lvrpo
