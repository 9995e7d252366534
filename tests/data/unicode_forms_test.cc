#include "data/unicode/unicode_forms.h"

#include "gtest/gtest.h"

namespace lvrpo::unicode {
namespace {

struct Pair {
  std::string from, to;
};

TEST(ToNfkc, GivesPlainCharacters) {
  const Pair cases[] = {
      {"", ""},
      {"plain text", "plain text"},
      {"\uFF11\uFF10 \uFF22\uFF1A", "10 B:"},
      {"\uFB01sh", "fish"},
      {"x\u00B2 \u2460", "x2 1"},
      {"\u2026", "..."},
      {"e\u0301", "\u00E9"},
      {"\u212B", "\u00C5"},
      {"\uFF76\uFF9E", "\u30AC"},  // half-width katakana and its voiced mark compose
      {"\u1112\u1161\u11AB", "\uD55C"},
      {"\uD55C", "\uD55C"},
      {"a\u0301\u0323", "\u1EA1\u0301"},
      {std::string("\0", 1), std::string("\0", 1)},
      {"\U0010FFFF", "\U0010FFFF"},
      {"\uFDFA",
       "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064A\u0647 "
       "\u0648\u0633\u0644\u0645"},
  };
  for (const Pair& test : cases) {
    EXPECT_EQ(ToNfkc(test.from), test.to) << test.from;
    EXPECT_EQ(ToNfkc(test.to), test.to) << test.to;
  }
}

TEST(ToNfkc, TakesLongRunsOfMarks) {
  std::string marks = "a";
  for (int i = 0; i < 100000; ++i) marks += "\u0301\uFF9E";
  EXPECT_EQ(ToNfkc(marks).substr(0, 5), "\u00E1\u3099");  // the acute composes past the voiced mark
}

TEST(CaseFold, LooksPastCase) {
  const Pair cases[] = {
      {"", ""},
      {"ABC xyz 12", "abc xyz 12"},
      {"Stra\u00DFe", "strasse"},
      {"STRA\u1E9EE", "strasse"},
      {"\u039F\u0394\u039F\u03A3", "\u03BF\u03B4\u03BF\u03C3"},
      {"\u03BF\u03B4\u03BF\u03C2", "\u03BF\u03B4\u03BF\u03C3"},
      {"\u0130", "i\u0307"},
      {"\u0131", "\u0131"},
      {"\u0416\u00C9", "\u0436\u00E9"},
      {"\uFF21", "\uFF41"},  // not normalised
      {"\uD55C\u4E2D", "\uD55C\u4E2D"},
  };
  for (const Pair& test : cases) {
    EXPECT_EQ(CaseFold(test.from), test.to) << test.from;
    EXPECT_EQ(CaseFold(test.to), test.to) << test.to;
  }
}

TEST(IsIgnorable, IsWhatShowsNothing) {
  for (const char32_t c : {U'\u00AD', U'\u200B', U'\u200D', U'\u200E', U'\u2060', U'\uFE0F', U'\uFEFF'})
    EXPECT_TRUE(IsIgnorable(c)) << static_cast<uint32_t>(c);
  for (const char32_t c : {U'a', U' ', U'\u00A0', U'\u2009', U'\u0301', U'\u4E2D', U'\U0010FFFF'})
    EXPECT_FALSE(IsIgnorable(c)) << static_cast<uint32_t>(c);
}

}  // namespace
}  // namespace lvrpo::unicode
