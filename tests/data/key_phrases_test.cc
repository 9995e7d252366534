#include "data/prompts/key_phrases.h"

#include <algorithm>
#include <iostream>
#include <random>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files/file.h"
#include "data/unicode/unicode.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/testing/cpu_time.h"

namespace lvrpo {
namespace {

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

TEST(KeyPhrases, TheRulesOneByOne) {
  const std::pair<std::string, Phrases> cases[] = {
      // Frames and requests.
      {"an image that shows a bowl of apples", {"bowl", "apples"}},
      {"A picture showing a man & a woman", {"man", "woman"}},
      {"Please draw me a picture of a goat in a hat!", {"goat", "hat"}},
      {"a black and white photo of a singer", {"singer"}},
      {"A cat sleeps. A photo of a dog.", {"cat", "dog"}},
      {"a museum wall with a painting of a ship", {"museum wall", "painting", "ship"}},
      // Look, place, time, measure.
      {"a cat, digital art, highly detailed, 4k, trending on artstation", {"cat"}},
      {"a bridge in the style of Claude Monet, a boat", {"bridge", "boat"}},
      {"a lamp on the right side of the bed", {"lamp", "bed"}},
      {"a mug on a white background", {"mug", "white background"}},
      {"city, night, rain, neon", {"city", "rain", "neon"}},
      {"a large group of people on a sunny day", {"people"}},
      // Adjectives.
      {"a big, fluffy dog and a red, white and blue flag", {"big fluffy dog", "red white and blue flag"}},
      {"an orange and black butterfly", {"orange and black butterfly"}},
      {"an orange and a banana", {"orange", "banana"}},
      {"an orange orange", {"orange orange"}},
      {"the man is tall and the walls are painted dark green", {"man", "walls"}},
      {"a very old, extremely brightly colored parrot", {"old brightly colored parrot"}},
      {"a snow covered roof", {"snow covered roof"}},
      {"people in red", {"people"}},
      {"a 1920s ballroom", {"1920s ballroom"}},
      {"a traffic light in light rain", {"traffic light", "light rain"}},
      {"a trash can behind a bank", {"trash can", "bank"}},
      // Verbs.
      {"a dog sleeps", {"dog"}},
      {"a fox chases a rabbit", {"fox", "rabbit"}},
      {"a cowboy leads horses", {"cowboy", "horses"}},
      {"children play", {"children"}},
      {"a running dog and a dog running", {"running dog", "dog"}},
      {"a woman wearing a hat, holding flowers", {"woman", "hat", "flowers"}},
      {"it's raining cats and dogs", {"cats", "dogs"}},
      {"a boy tries to catch a fish", {"boy", "fish"}},
      // Possessives, hyphens, names.
      {"A man's best friend's bowl", {"man", "best friend", "bowl"}},
      {"the dogs' green-and-white house", {"dogs", "green-and-white house"}},
      {"a caf\u00E9 in Los Angeles", {"caf\u00E9", "los angeles"}},
      {"\u00C9CLAIR", {"\u00E9clair"}},
      // Absent things.
      {"a dog without a collar", {"dog"}},
      {"a street with no people, and a cat", {"street", "cat"}},
      // Quotations.
      {"a sign that says 'OPEN' on a door", {"sign", "door"}},
      {"a sign with the words \u201CKeep out\u201D and \u2018private\u2019", {"sign"}},
      {"a \"quote and a dog", {"quote", "dog"}},
      {"the dog's bowl and the cat's bed", {"dog", "bowl", "cat", "bed"}},
      // Separators.
      {"a cat (tabby)\u2014a mat", {"cat", "tabby", "mat"}},
      {"**a cat** on _a mat_", {"cat", "mat"}},
      {"a red bus, A RED BUS\nand a red bus", {"red bus"}},
      // Nothing found.
      {" a photo of ", {"a photo of"}},
      {"The", {"The"}},
      {"no people", {"no people"}},
      {"?!", {"?!"}},
      {"", {}},
      {" \n\t ", {}},
  };
  for (const auto& [prompt, phrases] : cases) ExpectPhrases(prompt, phrases);
}

TEST(KeyPhrases, BoundsPhrasesAndWords) {
  std::string many, wide = "a ";
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&many, "a thing", i, ", ");
  for (int i = 0; i < 20; ++i) absl::StrAppend(&wide, "w", i, " ");
  const Phrases phrases = ExtractKeyPhrases(many);
  EXPECT_EQ(phrases.size(), 64u);
  EXPECT_EQ(phrases.back(), "thing63");
  ExpectPhrases(wide, {"w12 w13 w14 w15 w16 w17 w18 w19"});
  ExpectPhrases("a red " + std::string(65, 'x') + " and a hat", {"hat"});
}

TEST(KeyPhrases, RepairsIllFormedText) {
  ExpectPhrases("a red \xFF hat", {"hat"});
  ExpectPhrases("\xFF", {"\uFFFD"});
  ExpectPhrases(std::string("a cat\0a dog", 11), {"cat", "dog"});
}

// A megabyte of whatever is hardest for a rule takes no time to speak of (0.1 s), and all that comes out is
// well formed, not empty and not repeated.
TEST(KeyPhrases, StaysBoundedOnAnyText) {
  std::vector<std::string> texts;
  for (const char* unit :
       {"a ", "red ", "red, ", "red and ",    "very ", "\"",  "'a ",       "\u2018a ", "x",      "-",
        "'s", "the ", "no ",   "a photo of ", "dogs ", "of ", "to watch ", "\xFF",     "\u0130", "\n"}) {
    std::string text;
    while (text.size() < (size_t{1} << 20)) text += unit;
    texts.push_back(std::move(text));
  }
  std::mt19937 random(1);
  const std::string letters = "aesdy '\",.-\n\xE2\x80\x99";
  const std::vector<std::string> words = {"a",   "red", "dogs", "light", "running", "painted", "and", ",",
                                          "can", "of",  "to",   "left",  "style",   "'s",      "\"",  "no"};
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (int n = random() % 40; n > 0; --n)
      text +=
          i % 2 ? std::string(1, letters[random() % letters.size()]) : words[random() % words.size()] + " ";
    texts.push_back(std::move(text));
  }
  for (const std::string& text : texts) {
    const double begin = CpuSeconds();
    const Phrases phrases = ExtractKeyPhrases(text);
    EXPECT_LT(CpuSeconds() - begin, CpuBound(5)) << text.substr(0, 40);
    EXPECT_LE(phrases.size(), 64u);
    EXPECT_EQ(std::set<std::string>(phrases.begin(), phrases.end()).size(), phrases.size());
    for (const std::string& phrase : phrases) {
      EXPECT_TRUE(unicode::IsValidUtf8(phrase));
      EXPECT_FALSE(absl::StripAsciiWhitespace(phrase).empty());
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
