#include "verifiers/rules/json_schema.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "data/tokenizer/tokenizer_json.h"
#include "verifiers/rules/bounded_json.h"

namespace lvrpo {
namespace {

using nlohmann::json;

constexpr JsonBounds kSchemaBounds = {.bytes = 64 << 10, .values = 8192, .depth = 32, .unique_keys = true};
constexpr int kMostDepth = 32;
constexpr int64_t kMostParts = 500;
constexpr int64_t kMostCount = int64_t{1} << 31;

enum class Form {
  kAnnotation,
  kSchema,
  kSchemaList,
  kSchemaMap,
  kItems,         // a schema or a list of them
  kDependencies,  // schemas or lists of names
  kCount,
  kNumber,
  kDivisor,
  kFlag,
  kType,
  kNames,
  kAnything,
  kEnum,
};

const std::map<std::string, Form>& Keywords() {
  static const auto* const keywords = new std::map<std::string, Form>{
      {"$schema", Form::kAnnotation},
      {"$comment", Form::kAnnotation},
      {"title", Form::kAnnotation},
      {"description", Form::kAnnotation},
      {"default", Form::kAnnotation},
      {"examples", Form::kAnnotation},
      {"readOnly", Form::kAnnotation},
      {"writeOnly", Form::kAnnotation},
      {"definitions", Form::kAnnotation},  // reached by $ref
      {"$defs", Form::kAnnotation},
      {"not", Form::kSchema},
      {"if", Form::kSchema},
      {"then", Form::kSchema},
      {"else", Form::kSchema},
      {"contains", Form::kSchema},
      {"propertyNames", Form::kSchema},
      {"additionalItems", Form::kSchema},
      {"additionalProperties", Form::kSchema},
      {"allOf", Form::kSchemaList},
      {"anyOf", Form::kSchemaList},
      {"oneOf", Form::kSchemaList},
      {"properties", Form::kSchemaMap},
      {"items", Form::kItems},
      {"dependencies", Form::kDependencies},
      {"minLength", Form::kCount},
      {"maxLength", Form::kCount},
      {"minItems", Form::kCount},
      {"maxItems", Form::kCount},
      {"minProperties", Form::kCount},
      {"maxProperties", Form::kCount},
      {"minimum", Form::kNumber},
      {"maximum", Form::kNumber},
      {"exclusiveMinimum", Form::kNumber},
      {"exclusiveMaximum", Form::kNumber},
      {"multipleOf", Form::kDivisor},
      {"uniqueItems", Form::kFlag},
      {"type", Form::kType},
      {"required", Form::kNames},
      {"const", Form::kAnything},
      {"enum", Form::kEnum},
  };
  return *keywords;
}

bool IsTypeName(const json& name) {
  static const std::vector<json> names = {"null",   "boolean", "integer", "number",
                                          "string", "array",   "object"};
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool AreNames(const json& list) {
  return list.is_array() &&
         std::all_of(list.begin(), list.end(), [](const json& name) { return name.is_string(); });
}

class Reader {
 public:
  explicit Reader(const json& root) : root_(root) {}

  absl::StatusOr<PlainSchema> Read() {
    result_.schema = Schema(root_, "#", 0);
    if (!error_.ok()) return error_;
    return std::move(result_);
  }

 private:
  json Fail(const std::string& where, absl::string_view what) {
    if (error_.ok())
      error_ = absl::InvalidArgumentError(absl::StrCat("json_schema.schema at ", where, " ", what));
    return json();
  }

  // The plain form of a schema; null, with error_ set, on failure.
  json Schema(const json& schema, const std::string& where, int depth) {
    if (!error_.ok()) return json();
    if (++result_.parts > kMostParts)
      return Fail(where, absl::StrCat("goes beyond ", kMostParts,
                                      " subschemas, references followed; make it smaller"));
    if (depth > kMostDepth)
      return Fail(where, absl::StrCat("is nested deeper than ", kMostDepth, " levels; make it flatter"));
    if (schema.is_boolean()) return schema.get<bool>() ? json::object() : json{{"not", json::object()}};
    if (!schema.is_object()) return Fail(where, "is no schema; write an object, true or false");
    if (schema.contains("$ref")) return Referred(schema, where, depth);
    json plain = json::object();
    for (const auto& [keyword, value] : schema.items()) {
      json member = Keyword(keyword, value, absl::StrCat(where, "/", keyword), depth);
      if (!error_.ok()) return json();
      if (!member.is_discarded()) plain[keyword] = std::move(member);
    }
    if (plain.contains("type")) TakeLongIntegers(&plain);
    // These mean nothing alone.
    if (!plain.contains("if") || (!plain.contains("then") && !plain.contains("else"))) {
      for (const char* keyword : {"if", "then", "else"}) plain.erase(keyword);
    }
    if (!plain.contains("items") || !plain["items"].is_array()) plain.erase("additionalItems");
    return plain;
  }

  // The validator's integers have 64 bits; bounded_json.h gives longer ones as doubles beyond
  // kMostExactWhole.
  void TakeLongIntegers(json* plain) {
    json& type = (*plain)["type"];
    const json types = type.is_array() ? type : json::array({type});
    const auto has = [&](const char* name) {
      return std::find(types.begin(), types.end(), name) != types.end();
    };
    if (!has("integer") || has("number")) return;
    const json any = {{"anyOf",
                       {{{"type", type}},
                        {{"type", "number"}, {"exclusiveMinimum", kMostExactWhole}},
                        {{"type", "number"}, {"exclusiveMaximum", -kMostExactWhole}}}}};
    plain->erase("type");
    if (!plain->contains("allOf")) (*plain)["allOf"] = json::array();
    (*plain)["allOf"].push_back(any);
  }

  json Referred(const json& schema, const std::string& where, int depth) {
    for (const auto& [keyword, value] : schema.items()) {
      const auto known = Keywords().find(keyword);
      if (keyword != "$ref" && (known == Keywords().end() || known->second != Form::kAnnotation))
        return Fail(where, absl::StrCat("has ", QuoteToken(keyword),
                                        " next to $ref, where draft 7 ignores it; "
                                        "put both into allOf"));
    }
    if (!schema["$ref"].is_string()) return Fail(where, "has a $ref that is no string");
    const std::string ref = schema["$ref"].get<std::string>();
    if (ref.empty() || ref[0] != '#' || absl::StrContains(ref, "%"))
      return Fail(where, absl::StrCat("has the $ref ", QuoteToken(ref),
                                      "; only places in the schema itself are followed, such as "
                                      "\"#/definitions/name\""));
    if (std::find(followed_.begin(), followed_.end(), ref) != followed_.end())
      return Fail(where,
                  absl::StrCat("refers to itself by ", QuoteToken(ref), "; recursive schemas are not taken"));
    const json* target = nullptr;
    try {
      const json::json_pointer pointer(ref.substr(1));
      if (root_.contains(pointer)) target = &root_.at(pointer);
    } catch (const json::exception&) {
    }
    if (target == nullptr)
      return Fail(where, absl::StrCat("has the $ref ", QuoteToken(ref), ", which is not there"));
    followed_.push_back(ref);
    json plain = Schema(*target, ref, depth + 1);
    followed_.pop_back();
    return plain;
  }

  // Discarded: leave the keyword out.
  json Keyword(const std::string& keyword, const json& value, const std::string& where, int depth) {
    if (keyword == "pattern" || keyword == "patternProperties" || keyword == "format") {
      return Fail(where, absl::StrCat("is not checked here: leave it out",
                                      keyword == "format" ? "" : ", and add a regex rule for what it says"));
    }
    const auto known = Keywords().find(keyword);
    if (known == Keywords().end()) {
      return Fail(where, keyword == "$id" || keyword == "id"
                             ? "is not followed: leave it out"
                             : "is no keyword of JSON Schema draft 7 that is checked here: leave it out");
    }
    const json leave_out(json::value_t::discarded);
    switch (known->second) {
      case Form::kAnnotation:
        return leave_out;
      case Form::kSchema:
        // The validator's own form of "nothing more"; `false` elsewhere becomes {"not": {}}.
        if (value == false && absl::StartsWith(keyword, "additional")) return value;
        return Schema(value, where, depth + 1);
      case Form::kSchemaList:
        return SchemaList(value, where, depth);
      case Form::kSchemaMap:
        if (!value.is_object()) return Fail(where, "must be an object of schemas");
        return SchemaMap(value, where, depth);
      case Form::kItems:
        return value.is_array() && !value.empty() ? SchemaList(value, where, depth)
               : value.is_array()                 ? leave_out
                                                  : Schema(value, where, depth + 1);
      case Form::kDependencies:
        if (!value.is_object()) return Fail(where, "must be an object of schemas and lists of names");
        return SchemaMap(value, where, depth);
      case Form::kCount:
        if (!value.is_number_integer() || value < 0 || value > kMostCount)
          return Fail(where, absl::StrCat("must be a whole number from 0 to ", kMostCount));
        return value;
      case Form::kNumber:
        return value.is_number() ? value : Fail(where, "must be a number");
      case Form::kDivisor:
        // As a floating-point number: with an integer the validator uses integer division.
        if (!value.is_number() || !(value.get<double>() > 0)) return Fail(where, "must be a number above 0");
        return value.get<double>();
      case Form::kFlag:
        if (!value.is_boolean()) return Fail(where, "must be true or false");
        result_.unique_items = result_.unique_items || value.get<bool>();
        return value;
      case Form::kType:
        if (!(IsTypeName(value) ||
              (value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), IsTypeName))))
          return Fail(where,
                      "must be a type of JSON, or a list of types: null, boolean, integer, number, string, "
                      "array, object");
        return value;
      case Form::kNames:
        if (!AreNames(value)) return Fail(where, "must be a list of names");
        return value.empty() ? leave_out : value;
      case Form::kAnything:
        return value;
      case Form::kEnum:
        if (!value.is_array() || value.empty()) return Fail(where, "must be a list of at least one value");
        return value;
    }
    return leave_out;
  }

  json SchemaList(const json& list, const std::string& where, int depth) {
    if (!list.is_array() || list.empty()) return Fail(where, "must be a list of at least one schema");
    json plain = json::array();
    for (size_t i = 0; i < list.size(); ++i)
      plain.push_back(Schema(list[i], absl::StrCat(where, "/", i), depth + 1));
    return plain;
  }

  // Lists of names, which dependencies may have, stay as they are.
  json SchemaMap(const json& map, const std::string& where, int depth) {
    json plain = json::object();
    for (const auto& [name, value] : map.items()) {
      const std::string place = absl::StrCat(where, "/", name);
      const bool names = absl::EndsWith(where, "/dependencies") && value.is_array();
      if (names && !AreNames(value)) return Fail(place, "must be a schema or a list of names");
      plain[name] = names ? value : Schema(value, place, depth + 1);
    }
    return plain;
  }

  const json& root_;
  PlainSchema result_;
  absl::Status error_;
  std::vector<std::string> followed_;  // references on the way to here
};

}  // namespace

absl::StatusOr<PlainSchema> ReadSchema(absl::string_view text) {
  absl::StatusOr<json> root = ParseBoundedJson(text, kSchemaBounds);
  if (!root.ok())
    return absl::InvalidArgumentError(
        absl::StrCat("json_schema.schema cannot be read: ", root.status().message()));
  return Reader(*root).Read();
}

}  // namespace lvrpo
