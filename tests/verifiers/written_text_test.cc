#include "verifiers/images/written_text.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/verifiers/rule_testing.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(WrittenSimilarity, IsTheEditDistanceToTheBestPart) {
  struct {
    std::string wanted, recognised;
    double similarity;
  } const cases[] = {
      {"STOP", "stop", 1},
      {"Hello World", "HELLO\n  WORLD!", 1},
      {"open", "the shop is OPEN today", 1},
      {"open", "0pen", .75},
      {"open", "the shop is 0pen today", .75},  // what stands around it costs nothing
      {"open", "opxen", .75},
      {"open", "opn", .75},
      {"open", "", 0},
      {"open", "xyz", 0},
      {"open", "o", .25},
      {"open", std::string(10000, 'z'), 0},
      {"caf\u00E9", "CAFE\u0301", 1},
      {"\u4F60\u597D", "\u4F60\u574F", .5},
      {"ab",
       "a\xFF"
       "b",
       .5},
      {"ab", std::string("a\0b", 3), .5},
      {"abc", "ab ab abc", 1},
      {"Joe\u2019s Diner", "JOE'S DINER", 1},
      {"Joe's Diner", "Joe\u2018s  Diner", 1},
      {"\u201CSALE\u201D", "\"sale\"", 1},
      {"10\u201318 Uhr", "open 10-18 Uhr", 1},
      {"Stra\u00DFe", "STRASSE", 1},
      {"\uFF11\uFF10\u200B", "10", 1},
      {"Joe\u2019s", "Joes", .8},  // a mark is asked like a letter
      {"caf\u00E9", "cafe", .75},
  };
  for (const auto& test : cases) {
    EXPECT_NEAR(WrittenSimilarity(test.wanted, test.recognised), test.similarity, 1e-12)
        << test.wanted << " in " << test.recognised.substr(0, 40);
  }
}

TEST(WrittenTextRule, HoldsFromTheSimilarityOn) {
  v1::WrittenTextRule rule;
  rule.set_text("open");
  EXPECT_TRUE(VerifyWrittenText(rule, "OPEN")->holds);
  const Verdict exact = *VerifyWrittenText(rule, "0pen");
  EXPECT_FALSE(exact.holds);
  EXPECT_EQ(exact.grade, .75);
  EXPECT_THAT(exact.why, HasSubstr("75 % of 'open'"));
  rule.set_least_similarity(.75);
  EXPECT_TRUE(VerifyWrittenText(rule, "0pen")->holds);
  EXPECT_NEAR(VerifyWrittenText(rule, "0pe")->grade, .5 / .75, 1e-12);
  EXPECT_EQ(VerifyWrittenText(rule, "")->grade, 0);
  // A text that recognition cannot have given.
  rule.set_text(std::string(200, 'b'));
  EXPECT_LT(VerifyWrittenText(rule, std::string(1000000, 'a'))->grade, 1);
}

TEST(WrittenTextRule, WantsSomethingToRead) {
  const auto refusal = [](const std::string& text, double similarity) {
    v1::Rule rule;
    rule.mutable_written_text()->set_text(text);
    rule.mutable_written_text()->set_least_similarity(similarity);
    EXPECT_FALSE(VerifyWrittenText(rule.written_text(), "x").ok());
    return std::string(CheckRule(rule).message());
  };
  for (const std::string& text :
       {std::string(), std::string(" \n"), std::string(201, 'a'), std::string(100000, 'a')})
    EXPECT_THAT(refusal(text, 0), HasSubstr("written_text.text"));
  for (const double similarity : {-.1, 1.1, std::numeric_limits<double>::quiet_NaN()})
    EXPECT_THAT(refusal("a", similarity), HasSubstr("least_similarity"));
}

}  // namespace
}  // namespace lvrpo
