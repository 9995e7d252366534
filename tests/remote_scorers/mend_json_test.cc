#include "reward_server/remote/http/mend_json.h"

#include <cmath>
#include <optional>

#include "gtest/gtest.h"
#include "reward_server/remote/http/remote_json.h"

namespace lvrpo {
namespace {

TEST(MendJson, NumbersThatAreNotFiniteBecomeStrings) {
  const std::pair<const char*, const char*> cases[] = {
      {"NaN", "\"NaN\""},
      {"-NaN", "\"NaN\""},
      {"[nan,Infinity, -Infinity ,inf,-inf]", R"(["NaN","Infinity", "-Infinity" ,"Infinity","-Infinity"])"},
      {"{\"a\":-1e999,\"b\":1E400}", R"({"a":"-Infinity","b":"Infinity"})"},
      {"[1e308,-2.5e-400,0]", "[1e308,-2.5e-400,0]"},
  };
  for (const auto& [text, mended] : cases) EXPECT_EQ(MendJson(text), mended);
}

TEST(MendJson, WhatIsNoTextInAStringIsReplaced) {
  const std::pair<std::string, std::string> cases[] = {
      {R"("\ud83d")", R"("\ufffd")"},
      {R"("\ude00x")", R"("\ufffdx")"},
      {R"("\ud83d\ud83d\ude00")", R"("\ufffd\ud83d\ude00")"},
      {R"("\ud83d\u0041")", R"("\ufffd\u0041")"},
      {R"("\u0000")", R"("\ufffd")"},
      {R"("\\u0000")", R"("\\u0000")"},  // a backslash and five letters
      {R"("\\\u0000")", R"("\\\ufffd")"},
      {"\"a\xF0\x9F\"", "\"a\xEF\xBF\xBD\""},
  };
  for (const auto& [text, mended] : cases) EXPECT_EQ(MendJson(text), mended) << text;
}

TEST(MendJson, LeavesEverythingElseAsItIs) {
  for (const char* text : {"", "{", "\"", "\"\\", "\"\\u12", "\"NaN\"", "[\"-Infinity\", \"a\\\"NaN\"]",
                           "NaNa", "-", "1e5", "true", R"({"token": "\ud83d\ude00", "logprob": -0.25})",
                           "<html>inf-</html>", "infinite", "\\u0000"}) {
    EXPECT_EQ(MendJson(text), text);
  }
}

TEST(ParseRemoteJson, ReadsWhatOneBadValueWouldSpoil) {
  const auto parsed = ParseRemoteJson(R"({"a": -Infinity, "b": NaN, "c": "\udce2", "d": 3})",
                                      {.bytes = 1000, .values = 100, .depth = 4});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ((*parsed)["a"], "-Infinity");
  EXPECT_EQ((*parsed)["b"], "NaN");
  EXPECT_EQ((*parsed)["c"], "\xEF\xBF\xBD");
  EXPECT_EQ((*parsed)["d"], 3);
}

TEST(ParseRemoteJson, SaysWhatIsNoJson) {
  const JsonBounds bounds = {.bytes = 1000, .values = 100, .depth = 4};
  const std::pair<std::string, const char*> cases[] = {
      {"", "its answer is empty"},
      {" \r\n", "its answer is empty"},
      {"<html>NaN</html>", "its answer: it is not JSON at byte 1"},
      {"[NaN]", "its answer is no JSON object"},
      {"{\"a\": NaN, }", "its answer: it is not JSON at byte 7"},
      {"{\"a\": [[[[NaN]]]]}", "its answer: it is nested deeper than 4 levels"},
      {std::string(2000, ' ') + "{}", "its answer: it has 2002 bytes, more than 1000"},
  };
  for (const auto& [text, says] : cases)
    EXPECT_EQ(ParseRemoteJson(text, bounds).status(), absl::DataLossError(says)) << text.substr(0, 40);
}

TEST(AsShare, TakesWhatRoundingExplains) {
  const std::pair<double, std::optional<double>> cases[] = {
      {0, 0},      {1, 1},      {.5, .5}, {1.0000001, 1}, {-1e-9, 0},     {1.00001, 1},   {-1e-5, 0},
      {1.001, {}}, {-.001, {}}, {2, {}},  {NAN, {}},      {INFINITY, {}}, {-INFINITY, {}}};
  for (const auto& [value, share] : cases) EXPECT_EQ(AsShare(value), share) << value;
  EXPECT_FALSE(std::signbit(*AsShare(-1e-9)));
}

}  // namespace
}  // namespace lvrpo
