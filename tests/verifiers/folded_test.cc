#include "verifiers/answers/folded.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

std::string Single(absl::string_view text, Case letters = Case::kFold) {
  return Folded(text, Spaces::kSingle, letters);
}

TEST(Folded, MakesEqualWhatReadsTheSame) {
  const struct {
    std::string one, other;
  } cases[] = {
      {"France", " FRANCE\n"},
      {"\u039F\u0394\u039F\u03A3", "\u03BF\u03B4\u03BF\u03C2"},
      {"Stra\u00DFe", "STRASSE"},
      {"\u0130", "i\u0307"},
      {"caf\u00E9", "CAFE\u0301"},
      {"\u01F0", "J\u030C"},
      {"\u1FB3", "\u0391\u0345"},
      {"\uFF11\uFF10", "10"},
      {"\uFF21\uFF22", "ab"},
      {"\u3000a\u00A0\u2009b", "a b"},
      {"x\u200B", "x"},
      {"\uFEFFx\u00ADy\u2060z", "xyz"},
      {"\u2764\uFE0F", "\u2764"},
      {"e\u200B\u0301", "\u00E9"},  // composes when nothing stands between
      {"Joe\u2019s", "Joe's"},
      {"Joe\u2018s", "Joe\u00B4s"},
      {"Joe\u02BCs", "Joe\uFF07s"},
      {"\u201CSALE\u201D", "\"sale\""},
      {"\u00ABSALE\u00BB", "\u201Esale\u201F"},
      {"5\u2032 10\u2033", "5' 10\""},
      {"10\u201318 Uhr", "10-18 uhr"},
      {"\u22125", "-5"},
      {"\uFF0D5", "\u20145"},
      {"well\u2011known", "well-known"},
      {"and so on\u2026", "And so on..."},
      {"10\u207B\u00B2", "10^-2"},
      {"\u00BD", "1/2"},
      {"1\u00BD", "1 1/2"},
      {"H\u2082O", "h2o"},
      {"\uFF76\uFF9E", "\u30AC"},
      {"\uFB01n", "fin"},
      {"don`t", "don't"},
      {"l`eau", "l\u2019eau"},
      {"Hawai\u02BBi", "Hawai'i"},
      {"\u300Ca\u300D", "\"a\""},
      {"\u300Ea\u300F", "\u201Ca\u201D"},
      {"\uFF62a\uFF63", "\u00ABa\u00BB"},
      {"x\u00B2", "x^2"},
      {"5 m\u00B2", "5 m^2"},
      {"(x+1)\u00B3", "(x+1)^3"},
      {"e\u207B\u00B9", "e^-1"},
      {"x\u2082", "x2"},
  };
  for (const auto& test : cases) EXPECT_EQ(Single(test.one), Single(test.other)) << test.one;
}

TEST(Folded, KeepsApartWhatReadsOtherwise) {
  const struct {
    std::string one, other;
  } cases[] = {
      {"\u03BF\u03B4\u03CC\u03C2", "\u03BF\u03B4\u03BF\u03C2"},  // an accent
      {"caf\u00E9", "cafe"},
      {"\u00FCber", "uber"},
      {"\u00FCber", "ueber"},
      {"\u0131", "i"},
      {"\u0410", "A"},  // Cyrillic
      {"new york", "newyork"},
      {"France", "\u201CFrance\u201D"},
      {"France!", "France"},
      {"`x`", "'x'"},
      {"`a` b", "'a' b"},
      {"5`6", "5'6"},
      {"\u300Aa\u300B", "\"a\""},  // a title
      {"x\u00B2", "x2"},
      {"m\u00B3", "m3"},
      {"(x)\u00B2", "(x)2"},
      {"x\u2082\u00B2", "x22"},
      {"-5", "5"},
      {"10\u00B2", "102"},
      {"101\u2082", "1012"},
      {"1\u00BD", "11/2"},
      {"\u30AB", "\u30AC"},  // without and with a voiced mark
      {"\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F",
       "\U0001F3F4\U000E0067\U000E0062\U000E0073\U000E0063\U000E0074\U000E007F"},
  };
  for (const auto& test : cases) EXPECT_NE(Single(test.one), Single(test.other)) << test.one;
}

TEST(Folded, IsFoldedAlready) {
  for (const absl::string_view text :
       {"\u1E9E\u01F0\u1FB3 \u0130 \uFDFA", "1\u00BD 10\u00B2 a\u2033 \u00B4", "\u1E9A"}) {
    EXPECT_EQ(Single(Single(text)), Single(text)) << text;
  }
}

TEST(Folded, KeepsCaseAndTakesSpacesAwayWhenAsked) {
  EXPECT_EQ(Single(" pH \uFF17\u200B", Case::kKeep), "pH 7");
  EXPECT_EQ(Folded(" Open\n24 hours ", Spaces::kNone), "open24hours");
  EXPECT_EQ(Single(" \n\u200B"), "");
}

TEST(Plain, KeepsLinesAndCase) { EXPECT_EQ(Plain("\uFF22\uFF1A\n\u201CParis\u201D"), "B:\n\"Paris\""); }

}  // namespace
}  // namespace lvrpo
