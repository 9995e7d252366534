// What a configuration's text may be, and that what is used is what is written.
#include "common/config/config_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/files/file.h"
#include "common/utf8.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Settings of a run that are not asked whether their files exist.
struct Filled {
  v1::RunConfig config;
  absl::StatusOr<std::map<std::string, std::string>> origins;

  std::string error() const { return std::string(origins.status().message()); }
};

Filled Fill(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  Filled filled = {.config = DefaultRunConfig(), .origins = absl::UnknownError("")};
  std::vector<ConfigOverride> given;
  for (const std::string& text : overrides) given.push_back({.text = text});
  filled.origins = FillConfig(
      yaml, "run.yaml", given, [] { return std::vector<std::string>(); }, filled.config);
  return filled;
}

std::string Printed(const Filled& filled) {
  return PrintConfig({.config = filled.config, .origins = *filled.origins});
}

TEST(ConfigText, EveryTextIsPrintedSoThatItReadsBack) {
  std::vector<std::string> texts = {"",
                                    " ",
                                    "yes",
                                    "no",
                                    "on",
                                    "null",
                                    "true",
                                    "1e3",
                                    "0x1F",
                                    "- a",
                                    ": b",
                                    "a: b",
                                    "# c",
                                    "a #b",
                                    "'",
                                    "\"",
                                    "\\",
                                    "\\n",
                                    "a\nb",
                                    "\n",
                                    "\ta ",
                                    "  two",
                                    "two ",
                                    "a\r\n",
                                    "---",
                                    "...",
                                    "[a",
                                    "{a: b}",
                                    "!tag",
                                    "&anchor",
                                    "*x",
                                    "%YAML",
                                    "@a",
                                    "`a`",
                                    "a\x01"
                                    "b",
                                    "\x7f",
                                    "\xc2\x85",
                                    "\xe2\x80\xa8",
                                    "\xef\xbb\xbf",
                                    "<<",
                                    "=",
                                    "1_000",
                                    "12:30:45",
                                    "2001-01-01",
                                    ".inf",
                                    "caf\xc3\xa9",
                                    "\xf0\x9f\x8d\x8e"};
  std::mt19937 random(7);
  for (int i = 0; i < 1000; ++i) {
    std::string text;
    for (int length = static_cast<int>(random() % 12); length > 0; --length) {
      // Half of it of what YAML gives a meaning to; then control characters, and any other.
      constexpr absl::string_view kMeant = ":#-?,[]{}&*!|>'\"%@`\\ \t\n\r/.0e";
      const uint32_t kind = random() % 6;
      char32_t c = kind < 3    ? kMeant[random() % kMeant.size()]
                   : kind == 3 ? 1 + random() % 160
                               : random() % 0x110000;
      if (c == '$' || (c >= 0xd800 && c < 0xe000) || (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef))
        c = 'x';
      unicode::AppendUtf8(c, &text);
    }
    if (text.empty() || text[0] != '~') texts.push_back(text);
  }
  for (const std::string& text : texts) {
    Filled filled = Fill("");
    filled.config.set_out(text);
    filled.config.mutable_data()->add_image_prompts("before");
    filled.config.mutable_data()->add_image_prompts(text);
    filled.config.mutable_reward()->add_external()->set_name(text);
    const Filled again = Fill(Printed(filled));
    ASSERT_TRUE(again.origins.ok()) << again.origins.status() << "\n" << absl::CHexEscape(text);
    EXPECT_EQ(again.config.SerializeAsString(), filled.config.SerializeAsString()) << absl::CHexEscape(text);
  }
}

TEST(ConfigText, EveryNumberIsPrintedSoThatItReadsBack) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 1000; ++i) {
    Filled filled = Fill("");
    filled.config.set_seed(random());
    double value = 0;
    const uint64_t bits = random();
    std::memcpy(&value, &bits, sizeof(value));
    filled.config.mutable_train()->mutable_image()->set_learning_rate(std::isfinite(value) ? value
                                                                                           : 0.1 + 0.2);
    const Filled again = Fill(Printed(filled));
    ASSERT_TRUE(again.origins.ok()) << again.origins.status();
    EXPECT_EQ(again.config.SerializeAsString(), filled.config.SerializeAsString());
  }
  EXPECT_THAT(Printed(Fill("train: {image: {learning_rate: 5e-4}}")), HasSubstr("learning_rate: 0.0005"));
}

TEST(ConfigText, ACommentNeverBecomesASetting) {
  Filled filled = Fill("");
  filled.origins->emplace("out", "a\nseed: 5\n\xff.yaml:3");
  const Filled again = Fill(Printed(filled));
  ASSERT_TRUE(again.origins.ok()) << again.origins.status();
  EXPECT_EQ(again.config.SerializeAsString(), filled.config.SerializeAsString());
}

TEST(ConfigText, WhatIsTakenIsTakenWhole) {
  const struct {
    std::string yaml, name;
    uint64_t seed = 1;
  } cases[] = {
      {"\xef\xbb\xbfname: a\nseed: 2\n", "a", 2},  // byte order mark
      {"---\nname: a\n...\n", "a"},                // marks of the one document
      {"%YAML 1.2\n---\nname: a\n", "a"},
      {"# nothing but a comment\n", "run"},
      {"", "run"},
      {"name: a\r\nseed: 3\r\n", "a", 3},  // line ends of Windows
      {"name: \"a\\tb\"\n", "a\tb"},
      {"name: 300\n", "300"},  // text may look like a number
      {"name: |\n  two\n  lines\n", "two\nlines\n"},
      {"<<: {name: merged, seed: 5}\nname: own\n", "own", 5},
      {"<<: [{seed: 6}, {seed: 7, name: second}]\n", "second", 6},
      {"<<: {<<: {name: deep}, seed: 8}\n", "deep", 8},
      {"out: &x name\nname: *x\n", "name"},  // anchors
      {"name: a$\n", "a$"},                  // no variable
      {"name: a~b\n", "a~b"},
      {"name: 5 $ 6\n", "5 $ 6"},
      {"name: ./~x\n", "./~x"},
  };
  for (const auto& test : cases) {
    const Filled filled = Fill(test.yaml);
    ASSERT_TRUE(filled.origins.ok()) << filled.origins.status() << "\n" << test.yaml;
    EXPECT_EQ(filled.config.name(), test.name) << test.yaml;
    EXPECT_EQ(filled.config.seed(), test.seed) << test.yaml;
  }
  // Sections merge whole settings, not what is inside of them.
  const Filled filled =
      Fill("train:\n  <<: {steps: 7, image: {warmup_steps: 9}}\n  image: {learning_rate: 0.5}\n");
  ASSERT_TRUE(filled.origins.ok()) << filled.origins.status();
  EXPECT_EQ(filled.config.train().steps(), 7);
  EXPECT_EQ(filled.config.train().image().warmup_steps(), DefaultRunConfig().train().image().warmup_steps());
  EXPECT_EQ(filled.origins->at("train.steps"), "run.yaml:2");
}

TEST(ConfigText, WhatWouldBeReadInAnotherWayIsRefusedByItsLine) {
  const struct {
    std::string yaml, line, says;
  } cases[] = {
      {"name: a\n---\nname: b\n", ":3: ", "second document"},
      {"name: a\n---\n", ":3: ", "second document"},
      {"name: a\n...\nname: b\n", ":3: ", "second document"},
      {"---\n---\nname: b\n", ":3: ", "second document"},
      {"name: a\nout: caf\xe9\n", ":2: ", "not UTF-8 at byte 9 (0xe9)"},
      {"name: a\nout: a\x04"
       "b\nseed: 2\n",
       ":2: ", "control character 0x04"},
      {absl::StrCat("name: a", absl::string_view("\0", 1), "\n"), ":1: ", "control character 0x00"},
      {"name: a\nout: \"a\\0b\"\n", ":2: out: ", "NUL"},
      {"name: a\nout: \"\\uFFFE\"\n", ":2: out: ", "no character"},
      {"name: a\nout: \"\\U0001FFFF\"\n", ":2: out: ", "no character"},
      {"name: a\nout: ~/runs\n", ":2: out: ", "begins with ~"},
      {"name: a\nout: \"~\"\n", ":2: out: ", "begins with ~"},
      {"name: a\nout: ~user/runs\n", ":2: out: ", "begins with ~"},
      {"out: ${HOME}/runs\n", ":1: out: ", "holds ${"},
      {"out: a/$HOME/runs\n", ":1: out: ", "holds $H"},
      {"out: $(pwd)/runs\n", ":1: out: ", "variables are not replaced"},
      {"data:\n  image_prompts:\n    - a\n    - ~/b\n", ":4: data.image_prompts[1]: ", "begins with ~"},
      {"model:\n  policy: $MODELS/bagel\n", ":2: model.policy: ", "holds $M"},
      {"reward:\n  vqa_endpoint: {api_key_variable: $KEY}\n", ":2: ", "holds $K"},
      {"name: !env HOME\n", ":1: name: ", "tag '!env'"},
      {"name: !!binary aGk=\n", ":1: name: ", "binary"},
      {"name: ~\n", ":1: name: ", "got nothing: write \"\" for an empty text"},
      {"name:\n", ":1: name: ", "write \"\""},
      {"seed:\n", ":1: seed: ", "got nothing"},
      {"train:\n  steps: \"300\"\n",
       ":2: train.steps: ", "got the text \"300\" in quotes: take the quotes off"},
      {"train:\n  steps: '300'\n", ":2: ", "in quotes: take"},
      {"train:\n  steps: !!str 300\n", ":2: ", "tag"},
      {"seed: !!int 1\n", ":1: seed: ", "the tag 'tag:yaml.org,2002:int' is not read"},
      {"name: !!str a\n", ":1: name: ", "tag"},
      {"!!str seed: 1\n", ":1: ", "tag"},
      {"train: !!map {steps: 3}\n", ":1: train: ", "tag"},
      {"data: {image_prompts: !!seq [a]}\n", ":1: data.image_prompts: ", "tag"},
      {"data: {image_prompts: [!!str a]}\n", ":1: data.image_prompts[0]: ", "tag"},
      {"seed: 010\n", ":1: seed: ", "want a whole number of at least 0, got '010'"},
      {"train: {image: {learning_rate: 0x1}}\n", ":1: ", "want a number, got '0x1'"},
      {"train: {image: {learning_rate: 00.1}}\n", ":1: ", "want a number"},
      {"name: \"b\nseed: 1\n", ":", "a text in quotes is not closed"},
      {"train:\n  steps: \"many\"\n", ":2: ", "got the text \"many\" in quotes"},
      {"train: {image: {learning_rate: \"5e-4\"}}\n", ":1: ", "take the quotes off"},
      {"rollout:\n  antithetic: \"true\"\n", ":2: ", "take the quotes off"},
      {"rollout:\n  antithetic: yes\n", ":2: ", "want true or false, got 'yes'"},
      {"train:\n  steps: 1e3\n", ":2: ", "want a whole number, got '1e3'"},
      {"train:\n  steps: 1_000\n", ":2: ", "got '1_000'"},
      {"train:\n  steps: [3]\n", ":2: ", "got a list"},
      {"name: {a: b}\n", ":1: ", "got a section"},
      {"seed: 1\nname: a\nseed: 2\n", ":3: seed: ", "given twice"},
      {"<<: {seed: 1, seed: 2}\n", ":1: ", "given twice"},
      {"<<: 5\n", ":1: ", "merge key (<<) wants a mapping"},
      {"train:\n  <<: [{steps: 3}, 4]\n", ":2: train: ", "merge key (<<) wants a mapping"},
      {"train:\n  <<: {stepz: 3}\n", ":2: train.stepz: ", "did you mean 'steps'"},
      {"\"<<\": {seed: 1}\n", ":1: <<: ", "unknown key"},
      {"&a\n<<: *a\nseed: 3\n", "", "merge keys (<<) reach too many"},
      {"- seed\n", ":1: ", "want a section"},
      {"just words\n", ":1: ", "want a section"},
      {"{a: b}: 3\n", ":1: ", "a key is a section"},
      {"name: a\nseed: [\n", ":", "not YAML"},
      {"name: \"\\uD800\"\n", ":1: ", "not YAML"},
      {"name: *nobody\n", ":1: ", "not YAML"},
  };
  for (const auto& test : cases) {
    const Filled filled = Fill(test.yaml);
    EXPECT_TRUE(absl::IsInvalidArgument(filled.origins.status())) << test.yaml;
    EXPECT_THAT(filled.error(), AllOf(HasSubstr("run.yaml" + test.line), HasSubstr(test.says))) << test.yaml;
    EXPECT_TRUE(unicode::IsValidUtf8(filled.error())) << test.yaml;
  }
}

TEST(ConfigText, MergeKeysThatGrowWithoutEndAreRefused) {
  std::string yaml = "name: &m0 {seed: 1}\n";
  for (int i = 1; i < 30; ++i)
    absl::StrAppend(&yaml, "k", i, ": &m", i, " {<<: [*m", i - 1, ", *m", i - 1, "]}\n");
  EXPECT_THAT(Fill(absl::StrCat(yaml, "train: {<<: *m29}\n")).error(), HasSubstr("reach too many mappings"));
}

TEST(ConfigText, SettingsOfTheCommandLineFollowTheSameRules) {
  const struct {
    std::string text, says;
  } refused[] = {
      {"out=~/runs", "--set: out: '~/runs' begins with ~"},
      {"out=${HOME}", "--set: out: '${HOME}' holds ${"},
      {"data.image_prompts=[a, ~/b]", "--set: data.image_prompts[1]: '~/b' begins with ~"},
      {"train.steps=\"3\"", "--set: train.steps: want a whole number, got the text \"3\" in quotes"},
      {"train.steps=", "--set: train.steps: want a whole number, got nothing"},
      {"data.image_prompts=", "want a list, or [] for none, got nothing"},
      {"out=runs #2", "YAML reads only 'runs' of it: put the value in quotes"},
      {"out=#2", "want text, got nothing"},
      {"out=a\nb", "YAML reads only 'a b'"},
      {"out=caf\xe9", "--set: out: not UTF-8 at byte 4 (0xe9)"},
      {"out=a\n---\nb", "second document"},
      {"out=a: b", "want text, got a section"},
      {"train=", "want a section, got nothing"},
      {"tra\x1b[31min=3", "unknown key"},
  };
  for (const auto& test : refused) {
    const Filled filled = Fill("", {test.text});
    EXPECT_THAT(filled.error(), HasSubstr(test.says)) << test.text;
    EXPECT_TRUE(unicode::IsValidUtf8(filled.error())) << test.text;
    EXPECT_THAT(filled.error(), Not(HasSubstr("\x1b"))) << test.text;
  }
  const Filled filled = Fill("data: {heldout_text_prompts: file, image_prompts: [a, b]}\nname: x\n",
                             {"data.heldout_text_prompts=", "data.image_prompts=[]", "name= padded ",
                              "out='a #b'", "train={steps: 3}"});
  ASSERT_TRUE(filled.origins.ok()) << filled.origins.status();
  EXPECT_EQ(filled.config.data().heldout_text_prompts(), "");
  EXPECT_EQ(filled.config.data().image_prompts_size(), 0);
  EXPECT_EQ(filled.config.name(), "padded");
  EXPECT_EQ(filled.config.out(), "a #b");
  EXPECT_EQ(filled.config.train().steps(), 3);
}

TEST(ConfigText, AProblemWithAValueNamesTheNearestLine) {
  v1::RunConfig config = DefaultRunConfig();
  const auto found = FillConfig(
      "data:\n  image_prompts:\n    - a\n    - b\nmodel:\n  policy: p\nreward:\n  external:\n  - name: x\n",
      "run.yaml", {},
      [] {
        return std::vector<std::string>{"data.image_prompts[1]: one", "model.referee: two",
                                        "reward.external[0].address: three", "rollout.kernel: four"};
      },
      config);
  EXPECT_EQ(found.status().message(),
            "run.yaml:4: data.image_prompts[1]: one\nrun.yaml:6: model.referee: two\n"
            "run.yaml:9: reward.external[0].address: three\nrun.yaml: rollout.kernel: four");
}

// yaml-cpp would find documents in these without end.
TEST(ParseConfigText, EndsWhereATokenCannotBeginANode) {
  for (const char* text : {"&a* \n,", "a: 1\n--- ,", ","}) {
    YAML::Node root;
    EXPECT_TRUE(ParseConfigText(text, root).has_value()) << text;
  }
}

}  // namespace
}  // namespace lvrpo
