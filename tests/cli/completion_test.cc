#include "cli/completion.h"

#include <sys/stat.h>

#include <functional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "cli/local/process.h"
#include "common/flags/flag_checks.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

// A program's commands: one with options, one with a subcommand, one forwarded.
nlohmann::json Tree() {
  CLI::App app("test", "lvrpo");
  std::string text;
  int number = 0;
  bool flag = false;
  CLI::App* run = app.add_subcommand("run", "train: 'all' [roles]");
  run->add_option("--config", text, "settings");
  run->add_option("--dtype", text, "of weights")->check(CLI::IsMember({"fp32", "bf16"}));
  run->add_option("-n,--n", number);
  run->add_flag("--json", flag, "as JSON");
  app.add_subcommand("watermark", "marks")->add_subcommand("check", "look")->add_flag("--quiet", flag);
  return FlagTree(app);
}

// The words that bash would offer for each of these command lines, whose last word is being typed.
std::vector<std::string> Offered(const std::string& script,
                                 const std::vector<std::vector<std::string>>& lines) {
  std::string calls;
  for (const std::vector<std::string>& line : lines)
    absl::StrAppend(&calls, "COMP_WORDS=('", absl::StrJoin(line, "' '"), "'); COMP_CWORD=", line.size() - 1,
                    "; _lvrpo; echo \"${COMPREPLY[*]}\"\n");
  const absl::StatusOr<std::string> offered = Capture({"/bin/bash", "-c", absl::StrCat(script, "\n", calls)});
  EXPECT_TRUE(offered.ok()) << offered.status();
  std::vector<std::string> words = absl::StrSplit(offered.value_or(""), '\n');
  words.resize(lines.size());
  return words;
}

std::vector<std::string> Words(const std::string& line) {
  return absl::StrSplit(line, absl::ByAnyChar(" \n"), absl::SkipEmpty());
}

TEST(Completion, BashOffersCommandsOptionsAndValues) {
  const std::vector<std::string> offered =
      Offered(BashCompletion(Tree()), {{"lvrpo", ""},
                                       {"lvrpo", "wa"},
                                       {"lvrpo", "run", "--"},
                                       {"lvrpo", "run", "--json", "--co"},
                                       {"lvrpo", "run", "--dtype", ""},
                                       {"lvrpo", "run", "--dtype", "b"},
                                       {"lvrpo", "run", "--config", ""},
                                       {"lvrpo", "watermark", "ch"},
                                       {"lvrpo", "watermark", "check", "--q"}});
  EXPECT_THAT(offered,
              ElementsAre(AllOf(HasSubstr("run"), HasSubstr("watermark")), "watermark",
                          AllOf(HasSubstr("--config"), HasSubstr("--n")), "--config", "fp32 bf16", "bf16",
                          "",  // file names, by `-o default`
                          "check", HasSubstr("--quiet")));
}

TEST(Completion, ZshDescribesThemAll) {
  const std::string script = ZshCompletion(Tree());
  EXPECT_THAT(script,
              AllOf(HasSubstr("#compdef lvrpo"), HasSubstr(R"('run:train\: '\''all'\'' \[roles\]')"),
                    HasSubstr("'*--dtype[of weights]:value:(fp32 bf16)'"), HasSubstr("'*--json[as JSON]'"),
                    HasSubstr("_lvrpo_watermark_check()"), HasSubstr("'*--quiet[]'")));
}

// Writes a program that prints this for --print-flag-tree and fails for anything else.
void WriteProgram(const TemporaryFolder& folder, const std::string& name, const std::string& tree) {
  const std::string path = folder.Write(name, absl::StrCat("#!/bin/sh\n[ \"$*\" = ", kFlagTreeFlag,
                                                           " ] || exit 1\ncat <<'END'\n", tree, "\nEND\n"));
  ASSERT_EQ(chmod(path.c_str(), 0755), 0);
}

// lvrpo's own commands, where `generate` and `score` are forwarded.
nlohmann::json OwnTree() {
  CLI::App app("test", "lvrpo");
  for (const char* name : {"run", "generate", "ask", "score"}) app.add_subcommand(name, "own help");
  return FlagTree(app);
}

const nlohmann::json& Named(const nlohmann::json& tree, const std::string& name) {
  for (const nlohmann::json& command : tree["commands"]) {
    if (command["name"] == name) return command;
  }
  static const nlohmann::json none;
  return none;
}

TEST(WholeTree, TakesTheOptionsOfForwardedCommandsFromTheirPrograms) {
  const TemporaryFolder folder;
  WriteProgram(
      folder, "lvrpo-model",
      R"({"name":"lvrpo-model","options":[],"commands":[{"name":"generate","help":"paint","options":)"
      R"([{"names":["--seed"],"takes_value":true}],"commands":[]},{"name":"other","options":[]}]})");
  WriteProgram(folder, "lvrpo-score",
               R"({"name":"lvrpo-score","options":[{"names":["--all"]}],"commands":[]})");
  const nlohmann::json tree = WholeTree(OwnTree(), folder.path());
  EXPECT_EQ(tree["commands"].size(), 4u);
  EXPECT_EQ(Named(tree, "generate")["options"][0]["names"][0], "--seed");
  EXPECT_EQ(Named(tree, "score")["options"][0]["names"][0], "--all");  // a program of one command
  EXPECT_EQ(Named(tree, "ask"), Named(OwnTree(), "ask"));              // lvrpo-model does not have it
  EXPECT_EQ(Named(tree, "run"), Named(OwnTree(), "run"));
}

TEST(WholeTree, IsLvrposOwnWithoutTheOtherPrograms) {
  const TemporaryFolder folder;
  EXPECT_EQ(WholeTree(OwnTree(), folder.path()), OwnTree());
  WriteProgram(folder, "lvrpo-model", "no JSON");
  WriteProgram(folder, "lvrpo-score", "[7]");
  EXPECT_EQ(WholeTree(OwnTree(), folder.path()), OwnTree());
}

// Calls `visit` with each command's path ("", "run", "watermark check") and tree.
void EachCommand(const nlohmann::json& tree, const std::vector<std::string>& path,
                 const std::function<void(const std::vector<std::string>&, const nlohmann::json&)>& visit) {
  visit(path, tree);
  for (const nlohmann::json& command : tree["commands"]) {
    std::vector<std::string> longer = path;
    longer.push_back(command["name"]);
    EachCommand(command, longer, visit);
  }
}

TEST(Completion, OffersEveryCommandAndOptionOfTheProgram) {
  const absl::StatusOr<std::string> printed = Capture({LVRPO_BIN_DIR "/lvrpo", kFlagTreeFlag});
  ASSERT_TRUE(printed.ok()) << printed.status();
  const nlohmann::json tree = nlohmann::json::parse(*printed);
  const std::string zsh = ZshCompletion(tree);
  std::vector<std::vector<std::string>> lines;
  std::vector<std::set<std::string>> expected;
  EachCommand(tree, {}, [&](const std::vector<std::string>& path, const nlohmann::json& command) {
    std::set<std::string> commands, options;
    for (const nlohmann::json& sub : command["commands"]) commands.insert(sub["name"]);
    for (const nlohmann::json& option : command["options"]) {
      for (const nlohmann::json& name : option["names"]) options.insert(name);
    }
    for (const auto& [begun, names] : {std::pair("", commands), {"-", options}}) {
      if (names.empty()) continue;
      lines.push_back({"lvrpo"});
      lines.back().insert(lines.back().end(), path.begin(), path.end());
      lines.back().push_back(begun);
      expected.push_back(names);
    }
    const std::string function =
        absl::StrCat("_lvrpo", path.empty() ? "" : "_", absl::StrJoin(path, "_"), "() {");
    const size_t begin = zsh.find(function), end = zsh.find("\n}\n", begin);
    ASSERT_NE(begin, std::string::npos) << function;
    for (const std::string& name : options)
      EXPECT_THAT(zsh.substr(begin, end - begin), HasSubstr("'*" + name + "[")) << function;
  });
  EXPECT_GT(lines.size(), 10u);
  const std::vector<std::string> offered = Offered(BashCompletion(tree), lines);
  for (size_t i = 0; i < lines.size(); ++i)
    EXPECT_THAT(Words(offered[i]), IsSupersetOf(expected[i])) << absl::StrJoin(lines[i], " ");
}

TEST(Completion, HelpThatAShellWouldRunIsText) {
  CLI::App app("test", "lvrpo");
  std::string text;
  app.add_subcommand("run", "it's $(touch x) `y` \"z\" [a:b]")
      ->add_option("--mode", text, "x'; exit 7; '")
      ->check(CLI::IsMember({"a'b", "$HOME"}));
  const nlohmann::json tree = FlagTree(app);
  EXPECT_THAT(Offered(BashCompletion(tree), {{"lvrpo", "run", "--mo"}}), ElementsAre("--mode"));
  // zsh's quotes are bash's: what is in them defines functions and nothing else.
  const std::string zsh = absl::StrReplaceAll(ZshCompletion(tree), {{"compdef _lvrpo lvrpo", "echo sound"}});
  EXPECT_EQ(Capture({"/bin/bash", "-c", zsh}).value_or("broken"), "sound\n");
}

}  // namespace
}  // namespace lvrpo
