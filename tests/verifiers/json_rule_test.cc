#include "verifiers/rules/json_rule.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/verifiers/rule_testing.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

v1::Rule SchemaRule(const std::string& schema, const std::string& tag = "") {
  v1::Rule rule;
  rule.mutable_json_schema()->set_schema(schema);
  rule.mutable_json_schema()->set_tag(tag);
  return rule;
}

std::string Nested(char open, char close, int depth) {
  return std::string(depth, open) + std::string(depth, close);
}

TEST(JsonSchemaRule, AcceptsAndRefusesByEveryKeyword) {
  struct {
    const char* schema;
    std::vector<std::string> accepted, refused;
  } const cases[] = {
      {R"({})", {"1", "null", "{}", " [] \n"}, {}},
      {R"(true)", {"1"}, {}},
      {R"(false)", {}, {"1", "null"}},
      {R"({"type": "integer"})", {"1", "-3", "2.0", "1e3"}, {"1.5", "\"1\"", "true", "null"}},
      // Any number of digits.
      {R"({"type": "integer"})",
       {"99999999999999999999", "-99999999999999999999", "18446744073709551615", "9007199254740993",
        std::string(400, '9'), "-1" + std::string(5000, '0'), "1e300"},
       {"0.5", "1e-300", "\"99999999999999999999\""}},
      {R"({"type": ["integer", "null"], "allOf": [{"minimum": 10}]})",
       {"99999999999999999999", "10", "null"},
       {"-99999999999999999999", "9", "10.5"}},
      {R"({"type": "integer", "maximum": 1e20})", {"99999999999999999999"}, {std::string(400, '9')}},
      {R"({"items": {"type": ["number", "integer"]}})", {"[99999999999999999999, 0.5]"}, {"[\"1\"]"}},
      {R"({"type": ["string", "null"]})", {"\"\"", "null"}, {"0", "[]"}},
      {R"({"type": "number", "minimum": 0, "maximum": 10})",
       {"0", "10", "2.5"},
       {"-1", "10.5", "18446744073709551615"}},
      {R"({"exclusiveMinimum": 0, "exclusiveMaximum": 1})", {".5e0", "\"x\""}, {}},
      {R"({"exclusiveMinimum": 0, "exclusiveMaximum": 1})", {"0.5", "\"x\""}, {"0", "1"}},
      {R"({"minimum": 1, "exclusiveMinimum": 3})", {"4"}, {"3", "0"}},
      {R"({"multipleOf": 2})", {"4", "0", "-2", "4.0"}, {"3", "4.5"}},
      {R"({"multipleOf": 0.1})", {"0.3", "1"}, {"0.25"}},
      {R"({"type": "string", "minLength": 2, "maxLength": 3})",
       {"\"ab\"", "\"\u00E9\u4E2D\U0001F600\""},
       {"\"a\"", "\"abcd\""}},
      {R"({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})",
       {R"({"a": 1})", R"({"a": 1, "b": 2})"},
       {R"({})", R"({"a": "x"})", "[]"}},
      {R"({"properties": {"a": true}, "additionalProperties": false})",
       {"{}", R"({"a": 1})"},
       {R"({"b": 1})"}},
      {R"({"properties": {"a": false}})", {"{}", R"({"b": 1})"}, {R"({"a": 1})"}},
      {R"({"additionalProperties": {"type": "string"}})", {R"({"x": "y"})"}, {R"({"x": 1})"}},
      {R"({"minProperties": 1, "maxProperties": 2})", {R"({"a": 1})"}, {"{}", R"({"a":1,"b":2,"c":3})"}},
      {R"({"propertyNames": {"maxLength": 2}})", {R"({"ab": 1})"}, {R"({"abc": 1})"}},
      {R"({"dependencies": {"a": ["b"], "c": {"required": ["d"]}}})",
       {"{}", R"({"a": 1, "b": 1})", R"({"c": 1, "d": 1})"},
       {R"({"a": 1})", R"({"c": 1})"}},
      {R"({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2})",
       {"[1]", "[1,2]"},
       {"[]", "[1,2,3]", "[\"a\"]", "{}"}},
      {R"({"items": [{"type": "integer"}, {"type": "string"}], "additionalItems": false})",
       {"[1, \"a\"]", "[1]", "[]"},
       {"[\"a\"]", "[1, \"a\", 2]"}},
      {R"({"items": [true], "additionalItems": {"type": "null"}})", {"[1, null]"}, {"[1, 2]"}},
      {R"({"items": []})", {"[1]"}, {}},
      {R"({"uniqueItems": true})",
       {"[1, 2, \"1\"]", "[]", "[[1], [2]]"},
       {"[1, 1]", "[1, 1.0]", R"([{"a":1},{"a":1}])"}},
      {R"({"contains": {"const": 3}})", {"[1, 3]", "5"}, {"[1]", "[]"}},
      {R"({"enum": ["a", 1, null, [1]]})", {"\"a\"", "1", "1.0", "null", "[1]"}, {"\"b\"", "2", "[]"}},
      {R"({"const": {"a": [1, 2]}})", {R"({"a": [1, 2.0]})"}, {R"({"a": [2, 1]})", "{}"}},
      {R"({"not": {"type": "string"}})", {"1"}, {"\"a\""}},
      {R"({"allOf": [{"minimum": 1}, {"maximum": 2}]})", {"1"}, {"0", "3"}},
      {R"({"anyOf": [{"type": "string"}, {"minimum": 5}]})", {"\"a\"", "6"}, {"4"}},
      {R"({"oneOf": [{"multipleOf": 2}, {"multipleOf": 3}]})", {"2", "3"}, {"6", "5"}},
      {R"({"if": {"properties": {"k": {"const": 1}}}, "then": {"required": ["a"]}, "else": {"required": ["b"]}})",
       {R"({"k": 1, "a": 1})", R"({"k": 2, "b": 1})"},
       {R"({"k": 1})", R"({"k": 2, "a": 1})"}},
      {R"({"then": false})", {"1"}, {}},
      {R"({"definitions": {"n": {"type": "integer"}}, "properties": {"x": {"$ref": "#/definitions/n"}, "$ref": {}}})",
       {R"({"x": 1})", R"({"$ref": 5})"},
       {R"({"x": "a"})"}},
      {R"({"$defs": {"a/b": {"type": "null"}}, "items": {"$ref": "#/$defs/a~1b"}})", {"[null]"}, {"[1]"}},
      {R"({"$schema": "http://json-schema.org/draft-07/schema#", "title": "t", "description": "d", "default": 1,
           "examples": [1], "$comment": "c", "required": []})",
       {"1"},
       {}},
  };
  for (const auto& test : cases) {
    const v1::Rule rule = SchemaRule(test.schema);
    EXPECT_EQ(Refusal(rule), "") << test.schema;
    for (const std::string& text : test.accepted) {
      if (text == ".5e0") {
        EXPECT_FALSE(Judged(rule, text).holds);  // not JSON
        continue;
      }
      const Verdict verdict = Judged(rule, text);
      EXPECT_TRUE(verdict.holds) << test.schema << " of " << text << ": " << verdict.why;
    }
    for (const std::string& text : test.refused) {
      const Verdict verdict = Judged(rule, text);
      EXPECT_EQ(verdict.grade, .5) << test.schema << " of " << text << ": " << verdict.why;
    }
  }
}

TEST(JsonSchemaRule, RefusesWhatIsNotJson) {
  const std::string cases[] = {"", " ", "{", "{'a': 1}", "{\"a\": 1,}", "[1 2]", "NaN", "1e999",
                               std::string(400, '9') + ".5", "0" + std::string(400, '9'), "```json\n{}\n```",
                               "{} {}", "// x\n1", std::string("1\0", 2), std::string("\0", 1), "\"\xFF",
                               "\"\\ud800\"", "\"\\u0000\"", "{\"a\\u0000\": 1}", "[", "]", "\"a\nb\"", "01",
                               "+1", "tru",
                               // hostile nesting and size
                               Nested('[', ']', 65), std::string(1000000, '['), std::string(1000000, ']'),
                               absl::StrCat("[", std::string(5000, ' '), "1", std::string(300000, ' '), "]"),
                               absl::StrCat("[", absl::StrJoin(std::vector<int>(5000, 1), ","), "]")};
  for (const std::string& text : cases) {
    const Verdict verdict = Judged(SchemaRule("{}"), text);
    EXPECT_EQ(verdict.grade, 0) << text.substr(0, 50);
    EXPECT_FALSE(verdict.holds);
  }
  std::string objects;
  for (int i = 0; i < 200000; ++i) objects += "{\"a\":";
  EXPECT_THAT(Judged(SchemaRule("{}"), objects.substr(0, 200000)).why, HasSubstr("deeper than 64"));
  EXPECT_TRUE(Judged(SchemaRule("{}"), Nested('[', ']', 64)).holds);
}

TEST(JsonSchemaRule, LooksBetweenTags) {
  const v1::Rule rule = SchemaRule(R"({"type": "array"})", "json");
  EXPECT_TRUE(Judged(rule, "So: <json> [1] </json> done").holds);
  EXPECT_EQ(Judged(rule, "[1]").grade, 0);
  EXPECT_EQ(Judged(rule, "<json>[1]</json><json>[1]</json>").grade, 0);
  EXPECT_EQ(Judged(rule, "<json>1</json>").grade, .5);
  EXPECT_THAT(Refusal(SchemaRule("{}", "<a>")), HasSubstr("json_schema.tag"));
}

TEST(JsonSchemaRule, SaysWhatIsWrong) {
  const v1::Rule rule = SchemaRule(R"({"properties": {"list": {"items": {"type": "integer"}}}})");
  EXPECT_THAT(Judged(rule, R"({"list": [1, "x"]})").why, HasSubstr("Value type not permitted"));
}

TEST(JsonSchemaRule, RefusesSchemasThatCannotBeJudged) {
  std::string deep = "{}", wide = R"({"anyOf": [{"$ref": "#/definitions/d0"}], "definitions": {)";
  for (int i = 0; i < 40; ++i) deep = absl::StrCat(R"({"not": )", deep, "}");
  for (int i = 0; i < 10; ++i) {
    const std::string next = absl::StrCat(R"({"$ref": "#/definitions/d)", i + 1, "\"}");
    absl::StrAppend(&wide, "\"d", i, R"(": {"anyOf": [)", next, ",", next, "]},");
  }
  absl::StrAppend(&wide, R"("d10": {}}})");
  struct {
    std::string schema, message;
  } const cases[] = {
      {"", "cannot be read"},
      {"{", "cannot be read"},
      {"7", "is no schema"},
      {"[]", "is no schema"},
      {std::string(100000, '['), "cannot be read"},
      {R"({"minLength": 1e999})", "cannot be read"},
      {R"({"$ref": "http://example.com/s.json"})", "only places in the schema itself"},
      {R"({"$ref": "other.json#/a"})", "only places in the schema itself"},
      {R"({"$ref": "#name"})", "is not there"},
      {R"({"$ref": "#/definitions/none"})", "is not there"},
      {R"({"$ref": "#/a~"})", "is not there"},
      {R"({"items": [{}], "not": {"$ref": "#/items/7"}})", "is not there"},
      {R"({"items": [{}], "not": {"$ref": "#/items/-"}})", "is not there"},
      {R"({"items": [{}], "not": {"$ref": "#/items/99999999999999999999"}})", "is not there"},
      {R"({"$ref": 5})", "no string"},
      {R"({"$ref": "#"})", "refers to itself"},
      {R"({"properties": {"child": {"$ref": "#"}}})", "refers to itself"},
      {R"({"definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}, "$ref": "#/definitions/a"})",
       "refers to itself"},
      {R"({"not": {"$ref": "#/definitions/a", "minimum": 3}, "definitions": {"a": {}}})", "allOf"},
      {R"({"pattern": "(a+)+$"})", "regex rule"},
      {R"({"properties": {"x": {"pattern": "a"}}})", "#/properties/x/pattern"},
      {R"({"patternProperties": {"a": {}}})", "regex rule"},
      {R"({"format": "date"})", "not checked"},
      {R"({"$id": "http://a/b"})", "not followed"},
      {R"({"minLenght": 1})", "no keyword"},
      {R"({"prefixItems": []})", "no keyword"},
      {R"({"type": "int"})", "type of JSON"},
      {R"({"type": []})", "type of JSON"},
      {R"({"type": [["string"]]})", "type of JSON"},
      {R"({"minLength": -1})", "whole number"},
      {R"({"minLength": 1.5})", "whole number"},
      {R"({"minLength": "1"})", "whole number"},
      {R"({"minimum": "1"})", "must be a number"},
      {R"({"multipleOf": 0})", "above 0"},
      {R"({"multipleOf": -1})", "above 0"},
      {R"({"uniqueItems": 1})", "true or false"},
      {R"({"required": "a"})", "list of names"},
      {R"({"required": [1]})", "list of names"},
      {R"({"enum": []})", "at least one"},
      {R"({"enum": 1})", "at least one"},
      {R"({"allOf": []})", "at least one schema"},
      {R"({"anyOf": {}})", "at least one schema"},
      {R"({"properties": []})", "object of schemas"},
      {R"({"properties": {"a": 1}})", "is no schema"},
      {R"({"properties": {"a": ["b"]}})", "is no schema"},
      {R"({"dependencies": {"a": [1]}})", "list of names"},
      {R"({"items": 1})", "is no schema"},
      {R"({"not": null})", "is no schema"},
      {deep, "deeper than 32"},
      {wide, "500 subschemas"},
  };
  for (const auto& test : cases) {
    EXPECT_THAT(Refusal(SchemaRule(test.schema)), HasSubstr(test.message)) << test.schema.substr(0, 100);
  }
}

// The most that the bounds allow: pairs of a list, and many alternatives for each of many values.
TEST(JsonSchemaRule, EndsSoonAtItsBounds) {
  std::vector<std::string> numbers, alternatives;
  for (int i = 0; i < 4000; ++i) numbers.push_back(absl::StrCat(i));
  for (int i = 0; i < 400; ++i) alternatives.push_back(absl::StrCat(R"({"const": )", i, "}"));
  const std::string list = absl::StrCat("[", absl::StrJoin(numbers, ","), "]");
  EXPECT_TRUE(Judged(SchemaRule(R"({"uniqueItems": true})"), list).holds);
  EXPECT_FALSE(
      Judged(SchemaRule(absl::StrCat(R"({"items": {"oneOf": [)", absl::StrJoin(alternatives, ","), "]}}")),
             list)
          .holds);
  const std::string same = absl::StrCat("[", absl::StrJoin(std::vector<int>(4000, 1), ","), "]");
  EXPECT_FALSE(Judged(SchemaRule(R"({"uniqueItems": true})"), same).holds);
}

}  // namespace
}  // namespace lvrpo
