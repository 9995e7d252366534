// Plays scripts/*.txt: what happens to groups, as a reader sees it. scripts/README.md says how they are
// written.

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "tests/coordinator/script_player.h"

namespace lvrpo {
namespace {

std::string Folder() { return std::string(LVRPO_SOURCE_DIR) + "/tests/coordinator/scripts"; }

std::vector<std::string> Scripts() {
  std::vector<std::string> scripts;
  const std::vector<std::string> names = ListFolder(Folder()).value();
  for (const std::string& name : names) {
    if (absl::EndsWith(name, ".txt")) scripts.push_back(name.substr(0, name.size() - 4));
  }
  return scripts;
}

class ScriptTest : public ScriptPlayer, public ::testing::WithParamInterface<std::string> {};

// Each paragraph is comments, a command, "----" and what comes of it.
TEST_P(ScriptTest, Plays) {
  const std::string path = absl::StrCat(Folder(), "/", GetParam(), ".txt");
  const std::string script = ReadFile(path).value();
  std::vector<std::string> played;
  const std::vector<std::string> paragraphs = absl::StrSplit(script, "\n\n", absl::SkipWhitespace());
  for (const std::string& paragraph : paragraphs) {
    std::string now, command;
    const std::vector<std::string> lines = absl::StrSplit(absl::StripAsciiWhitespace(paragraph), '\n');
    for (const std::string& line : lines) {
      if (line == "----") break;
      absl::StrAppend(&now, line, "\n");
      if (!absl::StartsWith(line, "#")) command = line;
    }
    if (!command.empty()) absl::StrAppend(&now, "----\n", Play(command), "\n");
    EXPECT_EQ(absl::StrCat(absl::StripAsciiWhitespace(paragraph), "\n"), now) << path;
    played.push_back(now);
  }
  if (std::getenv("LVRPO_REWRITE_SCRIPTS") != nullptr) {
    ASSERT_TRUE(WriteFileAtomic(path, absl::StrJoin(played, "\n")).ok());
  }
}

INSTANTIATE_TEST_SUITE_P(Scripts, ScriptTest, ::testing::ValuesIn(Scripts()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace lvrpo
