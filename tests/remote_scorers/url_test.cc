#include "reward_server/remote/http/url.h"

#include <map>
#include <tuple>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(JoinUrl, PutsThePathBehindTheBasesOwnAndBeforeItsQuery) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"http://a/v1", "/chat/completions", "http://a/v1/chat/completions"},
      {"http://a/v1/", "/chat/completions", "http://a/v1/chat/completions"},
      {"http://a/v1//", "/chat/completions", "http://a/v1/chat/completions"},
      {"http://a:8000", "/score", "http://a:8000/score"},
      {"http://a:8000/", "/score", "http://a:8000/score"},
      {"https://a/openai?api-version=2024-06-01", "/score", "https://a/openai/score?api-version=2024-06-01"},
      {"https://a/openai/?x=1&y=a/b", "/score", "https://a/openai/score?x=1&y=a/b"},
      {"https://a?x=1", "/score", "https://a/score?x=1"},
      {"http://a/v1#top", "/score", "http://a/v1/score"},
      {"http://a/v1?q#top?no", "/score", "http://a/v1/score?q"},
      {"http://u:p@a/v1", "/score", "http://u:p@a/v1/score"},
      {"http://[::1]:80/v1", "/score", "http://[::1]:80/v1/score"},
      // The whole address was given.
      {"http://a/v1/chat/completions", "/chat/completions", "http://a/v1/chat/completions"},
      {"http://a/v1/chat/completions/?x=1", "/chat/completions", "http://a/v1/chat/completions?x=1"},
      {"http://a/v1/describe/", "", "http://a/v1/describe"},
      {"http://a/v1?x=1", "", "http://a/v1?x=1"},
      // Only its end resembles the path.
      {"http://a/myscore", "/score", "http://a/myscore/score"},
  };
  for (const auto& [base, path, joined] : cases) EXPECT_EQ(JoinUrl(base, path), joined) << base;
}

TEST(PrintableUrl, LeavesOutWhatMayBeSecret) {
  const std::map<std::string, std::string> cases = {
      {"http://host:1/a", "http://host:1/a"},
      {"https://user:password@host/a?key=k#f", "https://host/a"},
      {"http://a@b@host", "http://host"},
      {"http://host/a@b", "http://host/a@b"},
      {"http://host?k@x", "http://host"},
      {"host:80", "host:80"},
      {"", ""},
  };
  for (const auto& [url, printable] : cases) EXPECT_EQ(PrintableUrl(url), printable);
}

TEST(SecretsOf, AreWhatPrintableUrlLeavesOut) {
  EXPECT_THAT(SecretsOf("https://user:pass:word@host/a?key=k1&v=2&flag#f"),
              ElementsAre("user", "pass:word", "k1", "2"));
  EXPECT_THAT(SecretsOf("https://token@host"), ElementsAre("token"));
  EXPECT_THAT(SecretsOf("https://host/a@b"), IsEmpty());
  EXPECT_THAT(SecretsOf(""), IsEmpty());
}

// A URL that another one's query holds is a secret of that query, and no scheme of it.
TEST(PrintableUrl, IsNotMisledByAUrlInTheQuery) {
  const std::string url = "localhost:80/v1?next=http://user:password@host/y";
  EXPECT_EQ(PrintableUrl(url), "localhost:80/v1");
  EXPECT_EQ(JoinUrl(url, "/score"), "localhost:80/v1/score?next=http://user:password@host/y");
}

}  // namespace
}  // namespace lvrpo
