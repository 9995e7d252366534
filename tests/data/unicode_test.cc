#include "data/unicode/unicode.h"

#include "data/unicode/unicode_tables.h"
#include "gtest/gtest.h"

namespace lvrpo::unicode {
namespace {

struct Pair {
  std::string from, to;
};

TEST(Unicode, ComposesToNfc) {
  const Pair cases[] = {
      {"", ""},
      {"plain", "plain"},
      {"e\u0301", "\u00E9"},
      {"\u00E9", "\u00E9"},
      {"e\u0323\u0302", "\u1EC7"},                                // two marks in order
      {"e\u0302\u0323", "\u1EC7"},                                // and out of order
      {"a\u0301\u0301", "\u00E1\u0301"},                          // only one of them fits
      {"a\u0315\u0300\u05AE\u0062", "\u00E0\u05AE\u0315\u0062"},  // sorted by class: 228, 230, 232
      {"\u0301e", "\u0301e"},                                     // nothing before it
      {"\u0958", "\u0915\u093C"},                                 // excluded from composition
      {"\u212B", "\u00C5"},                                       // the Angstrom sign is another character
      {"A\u030A", "\u00C5"},
      {"\u1100\u1161\u11A8", "\uAC01"},  // Hangul by arithmetic
      {"\uAC00\u11A8", "\uAC01"},
      {"\uAC01\u11A8", "\uAC01\u11A8"},  // full already
      {"\u1100\u0301\u1161", "\u1100\u0301\u1161"},
      {">\u0338", "\u226F"},
      {"\U00011935\U00011930", "\U00011935\U00011930"},  // a pair of Unicode 13, unknown to the reference
  };
  for (const Pair& test : cases) {
    EXPECT_EQ(ToNfc(test.from), test.to) << test.from;
    EXPECT_EQ(ToNfc(ToNfd(test.from)), test.to) << test.from;
  }
  EXPECT_EQ(ToNfd("\u1EC7\uAC01"), "e\u0323\u0302\u1100\u1161\u11A8");
}

// For every character in the tables: normal forms are idempotent, and are restored from the other form.
TEST(Unicode, NormalFormsAreFixedPoints) {
  for (const Decomposition& entry : Decompositions()) {
    std::string text;
    AppendUtf8(entry.from, &text);
    const std::string d = ToNfd(text), c = ToNfc(text);
    EXPECT_NE(d, text);
    EXPECT_EQ(ToNfd(d), d);
    EXPECT_EQ(ToNfd(c), d);
    EXPECT_EQ(ToNfc(c), c);
    EXPECT_EQ(ToNfc(d), c);
  }
}

TEST(Unicode, LowerCasesCharacterByCharacter) {
  const Pair cases[] = {
      {"The CAT 3", "the cat 3"},
      {"\u039F\u03A3", "\u03BF\u03C3"},          // no final sigma
      {"\u0130", "i\u0307"},                     // two characters
      {"\u1E9E\u00DF", "\u00DF\u00DF"},          // the capital sharp s
      {"\u01C5", "\u01C6"},                      // a title-case letter
      {"\u212A", "k"},                           // Kelvin
      {"\uA7CB\U00016EA0", "\u0264\U00016EBB"},  // Unicode 16 and 17
      {"\u4E2D\u0301", "\u4E2D\u0301"},
  };
  for (const Pair& test : cases) EXPECT_EQ(ToLower(test.from), test.to) << test.from;
}

TEST(Unicode, KnowsTheClassesOfCharacters) {
  for (const char32_t c : {U' ', U'\t', U'\r', U'\v', U'\u0085', U'\u00A0', U'\u1680', U'\u2028', U'\u3000'})
    EXPECT_TRUE(IsSpace(c)) << static_cast<uint32_t>(c);
  for (const char32_t c : {U'\u180E', U'\u200B', U'\u200D', U'\uFEFF', U'\u001C', U'a', U'\0'})
    EXPECT_FALSE(IsSpace(c)) << static_cast<uint32_t>(c);
  for (const char32_t c : {U'a', U'Z', U'\u00AA', U'\u4E2D', U'\U00010D4A', U'\U00013460'})
    EXPECT_TRUE(IsLetter(c) && IsWordCharacter(c) && !IsNumber(c)) << static_cast<uint32_t>(c);
  for (const char32_t c : {U'0', U'\u00B2', U'\u0969', U'\u2167'})
    EXPECT_TRUE(IsNumber(c) && !IsLetter(c)) << static_cast<uint32_t>(c);
  for (const char32_t c : {U'@', U'[', U'`', U'{', U'\u0301', U'\U0001F600', U'\U0010FFFF'})
    EXPECT_FALSE(IsLetter(c) || IsNumber(c) || IsSpace(c)) << static_cast<uint32_t>(c);
  EXPECT_TRUE(IsWordCharacter(U'_') && IsWordCharacter(U'\u0301') && IsWordCharacter(U'\u200D'));
  EXPECT_FALSE(IsWordCharacter(U'-') || IsWordCharacter(U'\u00B2'));
}

// One U+FFFD for each maximal subpart; the expectations are Python's.
TEST(Unicode, RepairsIllFormedUtf8) {
  const std::string r = "\uFFFD";
  const Pair cases[] = {
      {"good \u00E9\U0001F600", "good \u00E9\U0001F600"},
      {"\x80", r},
      {"a\xFFz", "a" + r + "z"},
      {"\xC0\xAF", r + r},                  // overlong
      {"\xE0\x80\x80", r + r + r},          // overlong
      {"\xED\xA0\x80", r + r + r},          // a surrogate
      {"\xF4\x90\x80\x80", r + r + r + r},  // beyond U+10FFFF
      {"\xE2\x82", r},                      // cut off
      {"\xE2\x82z", r + "z"},
      {"\xF0\x9F\x98\xE2\x82\xAC", r + "\u20AC"},
      {"\xC3\xC3\xA9", r + "\u00E9"},
  };
  for (const Pair& test : cases) {
    EXPECT_EQ(RepairUtf8(test.from), test.to);
    EXPECT_EQ(IsValidUtf8(test.from), test.from == test.to);
  }
}

TEST(Unicode, EveryCodePointSurvivesUtf8) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text = "x";
    AppendUtf8(c, &text);
    size_t at = 1;
    ASSERT_EQ(NextCodePoint(text, &at), c);
    ASSERT_EQ(at, text.size());
    ASSERT_EQ(LastCodePoint(text, at), c);
    ASSERT_TRUE(IsValidUtf8(text));
  }
}

TEST(Unicode, TablesAreSorted) {
  for (const auto& ranges : {Letters(), Numbers(), Spaces(), WordCharacters()}) {
    for (size_t i = 0; i < ranges.size(); ++i) EXPECT_LE(ranges[i].first, ranges[i].last);
    for (size_t i = 1; i < ranges.size(); ++i) EXPECT_GT(ranges[i].first, ranges[i - 1].last);
  }
  for (size_t i = 1; i < CombiningClasses().size(); ++i)
    EXPECT_GT(CombiningClasses()[i].first, CombiningClasses()[i - 1].last);
  for (size_t i = 1; i < Lowercase().size(); ++i) EXPECT_GT(Lowercase()[i].first, Lowercase()[i - 1].first);
  for (size_t i = 1; i < Decompositions().size(); ++i)
    EXPECT_GT(Decompositions()[i].from, Decompositions()[i - 1].from);
  for (size_t i = 1; i < Compositions().size(); ++i) {
    const Composition &a = Compositions()[i - 1], &b = Compositions()[i];
    EXPECT_LT(std::pair(a.first, a.second), std::pair(b.first, b.second));
  }
}

}  // namespace
}  // namespace lvrpo::unicode
