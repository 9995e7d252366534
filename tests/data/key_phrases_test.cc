#include "data/key_phrases.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <random>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/file.h"
#include "data/phrase_tokens.h"
#include "data/unicode.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using Phrases = std::vector<std::string>;

// COCO's 80 classes, and the names that GenEval has for three of them.
const std::vector<std::string>& Classes() {
  static const std::vector<std::string> classes = absl::StrSplit(
      "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,"
      "parking "
      "meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,"
      "tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,"
      "tennis racket,bottle,wine "
      "glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,"
      "hot dog,pizza,donut,cake,chair,couch,potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,"
      "keyboard,cell phone,microwave,oven,toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,"
      "hair drier,toothbrush,computer mouse,tv remote,computer keyboard",
      ',');
  return classes;
}

const char* const kColors[] = {"red",    "orange", "yellow", "green", "blue",
                               "purple", "pink",   "brown",  "black", "white"};

std::string WithArticle(const std::string& name) {
  return (std::string("aeiou").find(name[0]) == std::string::npos ? "a " : "an ") + name;
}
std::string Plural(const std::string& name) { return name + (name.back() == 's' ? "es" : "s"); }

void ExpectPhrases(const std::string& prompt, const Phrases& expected) {
  EXPECT_EQ(ExtractKeyPhrases(prompt), expected) << prompt;
}

TEST(KeyPhrases, GenEvalOfOneObject) {
  for (const std::string& a : Classes()) {
    ExpectPhrases("a photo of " + WithArticle(a), {a});
    for (const char* color : kColors)
      ExpectPhrases("a photo of " + WithArticle(color) + " " + a, {std::string(color) + " " + a});
    for (const char* number : {"two", "three", "four", "five", "ten"})
      ExpectPhrases(absl::StrCat("a photo of ", number, " ", Plural(a)), {Plural(a)});
  }
}

TEST(KeyPhrases, GenEvalOfTwoObjects) {
  for (const std::string& a : Classes()) {
    for (const std::string& b : Classes()) {
      if (a == b) continue;
      ExpectPhrases("a photo of " + WithArticle(a) + " and " + WithArticle(b), {a, b});
      for (const char* relation : {"left of", "right of", "above", "below"})
        ExpectPhrases(absl::StrCat("a photo of ", WithArticle(a), " ", relation, " ", WithArticle(b)),
                      {a, b});
    }
  }
}

TEST(KeyPhrases, GenEvalOfTwoColoredObjects) {
  const size_t count = Classes().size();
  for (size_t i = 0; i < count; ++i) {
    for (size_t step = 1; step < count; step += 7) {
      const std::string &a = Classes()[i], &b = Classes()[(i + step) % count];
      for (const std::string x : kColors) {
        for (const std::string y : kColors) {
          if (x == y) continue;
          ExpectPhrases("a photo of " + WithArticle(x) + " " + a + " and " + WithArticle(y) + " " + b,
                        {x + " " + a, y + " " + b});
        }
      }
    }
  }
}

// Against what a reader expects of 200 prompts.
TEST(KeyPhrases, FindsWhatAReaderExpects) {
  const auto bytes = ReadFile(LVRPO_SOURCE_DIR "/tests/data/testdata/key_phrases.jsonl");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  double found = 0, expected = 0, right = 0;
  int prompts = 0, exact = 0;
  for (const absl::string_view line : absl::StrSplit(*bytes, '\n', absl::SkipEmpty())) {
    const nlohmann::json row = nlohmann::json::parse(line.begin(), line.end());
    const Phrases ours = ExtractKeyPhrases(row["prompt"].get<std::string>());
    const Phrases theirs = row["phrases"].get<Phrases>();
    const std::set<std::string> wanted(theirs.begin(), theirs.end());
    right +=
        std::count_if(ours.begin(), ours.end(), [&](const std::string& one) { return wanted.count(one); });
    found += ours.size();
    expected += wanted.size();
    ++prompts;
    exact += ours == theirs;
    if (ours != theirs) {
      std::cout << "  " << row["prompt"].get<std::string>() << "\n    found    " << absl::StrJoin(ours, "; ")
                << "\n    expected " << absl::StrJoin(theirs, "; ") << "\n";
    }
  }
  std::cout << "precision " << right / found << ", recall " << right / expected << ", " << exact << " of "
            << prompts << " prompts exactly\n";
  EXPECT_EQ(prompts, 200);
  EXPECT_GE(right / found, 0.95);
  EXPECT_GE(right / expected, 0.95);
}

}  // namespace
}  // namespace lvrpo
