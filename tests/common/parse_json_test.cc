#include "common/json/parse_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "common/utf8.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(ParseJson, ReadsOneValue) {
  EXPECT_EQ(*ParseJson("{\"a\": [1, 2.5, \"caf\xc3\xa9\"]}"),
            nlohmann::json::parse("{\"a\": [1, 2.5, \"caf\xc3\xa9\"]}"));
  EXPECT_EQ(*ParseJson("\xef\xbb\xbf 3\n"), 3);
}

TEST(ParseJson, SaysWhereAndWhyThereIsNone) {
  const struct {
    std::string text, says;
  } cases[] = {
      {"", "not JSON: it is empty"},
      {" \n", "not JSON: it is empty"},
      {"{\"eps\": NaN}", "not JSON at column 9: NaN is no JSON value, near '{\"eps\": NaN}'"},
      {"{\n  \"a\": 1,\n  \"eps\": Infinity\n}", "not JSON at line 3, column 10: Infinity is no JSON value"},
      {"{\"a\": -Infinity}", "not JSON at column 7: -Infinity is no JSON value"},
      {"{\"a\": None, \"b\": 1}", "column 7: None is no JSON value"},
      {"{\"a\": True}", "column 7: True is no JSON value"},
      {"{'a': 1}", "column 2: texts stand in double quotes"},
      {"{\"a\": 1 // one\n}", "line 1, column 9: JSON has no comments"},
      {"# settings\n{}", "line 1, column 1: JSON has no comments"},
      {"{\"a\": 1,}", "column 9: a value or a key is missing, or a comma stands before the bracket"},
      {"[1, 2,\n]", "line 2, column 1: a value"},
      {"{\"a\": [1, 2", "it ends too early, perhaps a part of it is missing"},
      {"{\"a\": \"b", "it ends too early"},
      {"{} {}", "column 4"},
      {"{\"a\": 1e999}", "not JSON that can be read"},
      {"{\"a\": \"caf\xe9\"}", "not UTF-8 at byte 11 (0xe9)"},
      {"{\"a\": \"x\ny\"}", "line 1, column 9"},
      {std::string(100000, '['), "it ends too early"},
      {"<html>", "column 1"},
      {"\x1b[31m", "near ' [31m'"},
  };
  for (const auto& test : cases) {
    const absl::Status status = ParseJson(test.text).status();
    const std::string message(status.message());
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << test.text;
    EXPECT_THAT(message, HasSubstr(test.says)) << test.text;
    EXPECT_TRUE(unicode::IsValidUtf8(message)) << test.text;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 250u) << message;
  }
}

TEST(ParseJson, RefusesAKeyGivenTwiceInOneObject) {
  EXPECT_TRUE(ParseJson(R"({"a": 1, "b": {"a": 2}, "c": [{"a": 3}, {"a": 4}]})").ok());
  const std::pair<const char*, const char*> cases[] = {
      {R"({"a": 1, "b": 2, "a": 1})", "JSON in which \"a\" is given twice"},
      {R"({"a": {"b": 1, "\u0062": 2}})", "\"b\" is given twice"},
      {R"([{"a": 1}, {"c": {}, "c": []}])", "\"c\" is given twice"},
      {R"({"": 1, "": 2})", "\"\" is given twice"},
      {R"({"\u001b": 1, "\u001b": 2})", "\" \" is given twice"},
      {"{\"a\": 1, \"a\": ", "ends too early"},
  };
  for (const auto& [text, says] : cases) {
    const absl::Status status = ParseJson(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(says)) << text;
  }
}

}  // namespace
}  // namespace lvrpo
