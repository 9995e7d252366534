#include "common/flags/flag_checks.h"

#include <cstdio>
#include <optional>

#include "common/exit_code.h"
#include "common/flags/role_flags.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A program with an option of each kind.
struct Program {
  Program() : app("test", "prog") {
    app.add_option("--sets", sets)->take_all();
    app.add_option("--seed", seed);
    app.add_option("--count", count);
    app.add_option("--layers", layers)->check(AtLeast(1));
    app.add_option("--scale", scale);
    app.add_option("--shift", shift)->check(AboveZero());
    app.add_option("--size", size)->transform(ByteSize());
    app.add_flag("--json", json);
    app.add_option("word", word);
    app.add_option("more", more);
  }
  // Exit code, or nullopt when it parsed; `said`: standard error.
  std::optional<int> Parse(std::vector<std::string> words) {
    words.insert(words.begin(), "prog");
    std::vector<char*> argv;
    for (std::string& text : words) argv.push_back(text.data());
    ::testing::internal::CaptureStderr();
    const std::optional<int> code = ParseFlags(app, static_cast<int>(argv.size()), argv.data());
    said = ::testing::internal::GetCapturedStderr();
    return code;
  }

  CLI::App app;
  std::vector<std::string> sets, more;
  std::string word, said;
  uint64_t seed = 0, size = 0;
  int64_t layers = 0;
  int count = 0;
  double scale = 0, shift = 1;
  bool json = false;
};

TEST(Flags, AnOptionTakesOneValueAndNeverAPositional) {
  Program one;
  ASSERT_EQ(one.Parse({"--sets", "a=1", "the word", "--count", "3"}), std::nullopt) << one.said;
  EXPECT_THAT(one.sets, ElementsAre("a=1"));
  EXPECT_EQ(one.word, "the word");
  Program two;
  ASSERT_EQ(two.Parse({"--sets=a", "--sets", "[b,c]", "word", "--sets", "d", "more", "still more"}),
            std::nullopt);
  EXPECT_THAT(two.sets, ElementsAre("a", "[b,c]", "d"));
  EXPECT_EQ(two.word, "word");
  EXPECT_THAT(two.more, ElementsAre("more", "still more"));
  Program empty;
  EXPECT_EQ(empty.Parse({"--sets=", "word"}), kExitUsage);
  EXPECT_THAT(empty.said, HasSubstr("--sets= has no value"));
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--sets", "", "word"}, {""}, {"word", ""}}) {
    Program quoted;
    EXPECT_EQ(quoted.Parse(words), kExitUsage);
    EXPECT_THAT(quoted.said, HasSubstr("an empty text was given"));
  }
  Program literal;
  ASSERT_EQ(literal.Parse({"--", "--sets="}), std::nullopt) << literal.said;
  EXPECT_EQ(literal.word, "--sets=");
}

TEST(Flags, NumbersAreTakenAsWrittenOrRefused) {
  for (const auto& [text, value] : std::vector<std::pair<std::string, uint64_t>>{
           {"0", 0}, {"7", 7}, {"010", 10}, {"18446744073709551615", 18446744073709551615u}}) {
    Program program;
    ASSERT_EQ(program.Parse({"--seed", text}), std::nullopt) << program.said;
    EXPECT_EQ(program.seed, value);
  }
  const std::vector<std::pair<std::string, std::vector<std::string>>> refused = {
      {"--seed", {"-1", "18446744073709551616", "1.5", "1e3", "0x10", "1,000", "one", "", "1 2", "nan"}},
      {"--count", {"2147483648", "-2147483649", "9223372036854775808", "99999999999999999999", "1.0", "x"}},
      {"--layers", {"0", "-1", "1.5", "9223372036854775808"}},
      {"--scale", {"nan", "inf", "-inf", "1e999", "1,5", "x", ""}},
      {"--shift", {"0", "-1", "nan", "inf"}},
      {"--size", {"-1", "GB", "1.5GB", "5XB", "18446744073709551616", "10000000TB", "5 G B", ""}},
  };
  for (const auto& [option, values] : refused) {
    for (const std::string& value : values) {
      Program program;
      EXPECT_EQ(program.Parse({option, value}), kExitUsage) << option << " " << value;
      EXPECT_THAT(program.said, AllOf(HasSubstr("prog: "), HasSubstr(option.substr(2)), HasSubstr("--help")));
      EXPECT_LT(program.said.size(), 200u) << program.said;
    }
  }
  Program program;
  ASSERT_EQ(program.Parse({"--count", "-7", "--layers", "1", "--scale", "-1e-3", "--shift", ".5"}),
            std::nullopt);
  EXPECT_EQ(program.count, -7);
  EXPECT_EQ(program.scale, -1e-3);
}

TEST(Flags, FractionsAreDecimal) {
  for (const char* text : {"0x1", "1e999", "nan", " 1", "01"}) {
    Program program;
    EXPECT_EQ(program.Parse({"--scale", text}), kExitUsage) << text;
  }
  Program program;
  EXPECT_EQ(program.Parse({"--scale", "-1e-05"}), std::nullopt) << program.said;
  EXPECT_EQ(program.scale, -1e-5);
}

TEST(Flags, SizesHaveUnits) {
  for (const auto& [text, bytes] : std::vector<std::pair<std::string, uint64_t>>{{"0", 0},
                                                                                 {"5GB", 5000000000},
                                                                                 {"5g", 5000000000},
                                                                                 {"512 MiB", 512 << 20},
                                                                                 {"1kib", 1024},
                                                                                 {"1Ki", 1024},
                                                                                 {"7b", 7},
                                                                                 {"2TB", 2000000000000}}) {
    Program program;
    ASSERT_EQ(program.Parse({"--size", text}), std::nullopt) << program.said;
    EXPECT_EQ(program.size, bytes) << text;
  }
}

TEST(Flags, UnknownWordsGetASuggestion) {
  const auto said = [](std::vector<std::string> words) {
    Program program;
    program.app.require_subcommand(1);
    for (const char* name : {"run", "report", "status", "print-config"}) {
      int64_t* layers = &program.layers;
      program.app.add_subcommand(name, "does it")->add_option("--layers", *layers);
    }
    CLI::App* marks = program.app.add_subcommand("watermark", "has a subcommand");
    marks->add_subcommand("check", "looks");
    marks->require_subcommand(1);
    // Positionals of the program itself would take the words.
    program.app.remove_option(program.app.get_option("word"));
    program.app.remove_option(program.app.get_option("more"));
    EXPECT_EQ(program.Parse(std::move(words)), kExitUsage);
    return program.said;
  };
  EXPECT_THAT(said({"rnu"}), AllOf(HasSubstr("no command 'rnu'"), HasSubstr("did you mean 'run'?")));
  EXPECT_THAT(said({"statsu", "x"}), HasSubstr("did you mean 'status'?"));
  EXPECT_THAT(said({"--json", "printconfig"}), HasSubstr("did you mean 'print-config'?"));
  EXPECT_THAT(said({"frobnicate"}),
              AllOf(HasSubstr("no command 'frobnicate'"), Not(HasSubstr("did you mean"))));
  EXPECT_THAT(said({"run", "--layres", "3"}),
              AllOf(HasSubstr("prog run"), HasSubstr("did you mean '--layers'?")));
  EXPECT_THAT(said({"run", "--layres=3"}), HasSubstr("did you mean '--layers'?"));
  EXPECT_THAT(said({"watermark", "chekc"}),
              AllOf(HasSubstr("prog watermark: "), HasSubstr("no command 'chekc'"),
                    HasSubstr("did you mean 'check'?")));
  EXPECT_THAT(said({}), Not(HasSubstr("did you mean")));
  EXPECT_THAT(Suggestion("x", {"y"}), IsEmpty());
  EXPECT_THAT(Suggestion(std::string(100000, 'a'), {"run"}), IsEmpty());
}

TEST(Flags, AMemberHasAName) {
  for (const auto& [id, result] :
       std::vector<std::pair<std::string, std::optional<int>>>{{"reward-0", std::nullopt},
                                                               {"A.b_9", std::nullopt},
                                                               {"", kExitUsage},
                                                               {"../x", kExitUsage},
                                                               {"a\nb", kExitUsage},
                                                               {"a\xff", kExitUsage},
                                                               {std::string(100000, 'x'), kExitUsage}}) {
    RoleFlags flags;
    CLI::App app("role", "role");
    flags.AddTo(app, "m");
    std::vector<std::string> words = {"role", "--config", "c.yaml", "--member-id", id};
    std::vector<char*> argv;
    for (std::string& text : words) argv.push_back(text.data());
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(ParseFlags(app, static_cast<int>(argv.size()), argv.data()), result) << id.substr(0, 9);
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_LT(said.size(), 500u);
    EXPECT_THAT(said, Not(HasSubstr("\xff")));
  }
}

TEST(Flags, RanksOfALearner) {
  using Words = std::vector<std::string>;
  struct {
    Words words;
    std::optional<int> code;
    std::string member_id = "learner-0";
  } cases[] = {{{}, std::nullopt},
               {{"--rank", "0", "--ranks", "1"}, std::nullopt},
               {{"--rank", "1", "--ranks", "2"}, std::nullopt, "learner-1"},
               {{"--rank", "1", "--ranks", "2", "--member-id", "me"}, std::nullopt, "me"},
               {{"--rank", "2", "--ranks", "2"}, kExitUsage},
               {{"--rank", "1"}, kExitUsage},
               {{"--rank", "-1", "--ranks", "2"}, kExitUsage},
               {{"--ranks", "0"}, kExitUsage},
               {{"--ranks", "1025"}, kExitUsage}};
  for (const auto& c : cases) {
    RoleFlags flags;
    flags.member_id = "learner-0";
    CLI::App app("role", "role");
    flags.AddTo(app, "lmk");
    Words words = c.words;
    words.insert(words.begin(), {"role", "--config", "c.yaml"});
    std::vector<char*> argv;
    for (std::string& text : words) argv.push_back(text.data());
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(ParseFlags(app, static_cast<int>(argv.size()), argv.data()), c.code)
        << ::testing::PrintToString(c.words);
    ::testing::internal::GetCapturedStderr();
    if (c.code.has_value()) continue;
    EXPECT_EQ(flags.member_id, c.member_id);
  }
}

TEST(Flags, AddressesAreReadBeforeAnythingElse) {
  const auto code = [](std::vector<std::string> words) {
    RoleFlags flags;
    CLI::App app("role", "role");
    flags.AddTo(app, "clmt");
    words.insert(words.begin(), {"role", "--config", "c.yaml"});
    std::vector<char*> argv;
    for (std::string& text : words) argv.push_back(text.data());
    ::testing::internal::CaptureStderr();
    const std::optional<int> result = ParseFlags(app, static_cast<int>(argv.size()), argv.data());
    ::testing::internal::GetCapturedStderr();
    return result;
  };
  using Words = std::vector<std::string>;
  for (const Words& words : {Words{}, Words{"--listen", "[::1]:0"}, Words{"--metrics-listen", "0.0.0.0:9090"},
                             Words{"--listen", "0.0.0.0:7070", "--advertise", "10.0.0.1:7070"},
                             Words{"--listen", "[::]:0", "--advertise", "me.lan:0"},
                             Words{"--coordinator", "coordinator.lan:7070"}, Words{"--threads", "0"}}) {
    EXPECT_EQ(code(words), std::nullopt) << ::testing::PrintToString(words);
  }
  for (const Words& words :
       {Words{"--listen", "7070"}, Words{"--listen", "localhost"}, Words{"--listen", "::1:0"},
        Words{"--listen", "127.0.0.1:65536"}, Words{"--listen", "0.0.0.0:7070"}, Words{"--listen", "[::]:0"},
        Words{"--listen", "0.0.0.0:7070", "--advertise", "0.0.0.0:7070"},
        Words{"--listen", "0.0.0.0:7070", "--advertise", "me.lan"}, Words{"--metrics-listen", ":9090"},
        Words{"--metrics-listen", "localhost:http"}, Words{"--coordinator", "http://c:7070"},
        Words{"--coordinator", "c"}, Words{"--coordinator", "c:0"}, Words{"--coordinator", "0.0.0.0:7070"},
        Words{"--threads", "-1"}, Words{"--threads", "1.5"}}) {
    EXPECT_EQ(code(words), kExitUsage) << ::testing::PrintToString(words);
  }
}

}  // namespace
}  // namespace lvrpo
