#include "verifiers/rules/json_rule.h"

#define VALIJSON_USE_EXCEPTIONS 1
#include <exception>
#include <optional>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "data/tokenizer/tokenizer_json.h"
#include "verifiers/answers/tag.h"
#include "verifiers/judgement.h"
#include "verifiers/rules/bounded_json.h"
#include "verifiers/rules/json_schema.h"

namespace lvrpo {
namespace {

using valijson::adapters::NlohmannJsonAdapter;

constexpr JsonBounds kAnswerBounds = {.bytes = 256 << 10, .values = 4096, .depth = 64};
// Beyond this many (value, subschema) pairs reasons are not collected: the validator keeps all it finds.
constexpr int64_t kMostForReasons = 50000;

// The validator's parser throws on unsupported schemas; PlainSchema should have excluded them all.
absl::Status Compile(const PlainSchema& plain, valijson::Schema* schema) {
  try {
    valijson::SchemaParser(valijson::SchemaParser::kDraft7)
        .populateSchema(NlohmannJsonAdapter(plain.schema), *schema);
    return absl::OkStatus();
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("json_schema.schema is refused: ", QuoteToken(error.what())));
  }
}

// The first error, where it can be found at bounded cost.
std::string Reason(const PlainSchema& plain, const valijson::Schema& schema, const nlohmann::json& value) {
  const std::string general = "the JSON is not what the schema asks";
  if (plain.unique_items || CountValues(value) * plain.parts > kMostForReasons) return general;
  valijson::ValidationResults results;
  valijson::Validator().validate(schema, NlohmannJsonAdapter(value), &results);
  valijson::ValidationResults::Error error;
  if (!results.popError(error)) return general;
  std::string place;
  for (size_t i = 1; i < error.context.size(); ++i) place += error.context[i];
  return absl::StrCat(general, ": ", place.empty() ? "" : absl::StrCat("at ", QuoteToken(place), " "),
                      absl::StripSuffix(error.description, "."));
}

}  // namespace

absl::Status CheckJsonSchemaRule(const v1::JsonSchemaRule& rule) {
  const absl::StatusOr<PlainSchema> plain = ReadSchema(rule.schema());
  if (!plain.ok()) return plain.status();
  valijson::Schema schema;
  if (absl::Status status = Compile(*plain, &schema); !status.ok()) return status;
  return CheckOptionalTag(rule.tag(), "json_schema.tag");
}

absl::StatusOr<Verdict> VerifyJsonSchema(const v1::JsonSchemaRule& rule, absl::string_view text) {
  const absl::StatusOr<PlainSchema> plain = ReadSchema(rule.schema());
  if (!plain.ok()) return plain.status();
  valijson::Schema schema;
  if (absl::Status status = Compile(*plain, &schema); !status.ok()) return status;
  if (absl::Status status = CheckOptionalTag(rule.tag(), "json_schema.tag"); !status.ok()) return status;
  const std::optional<absl::string_view> part = AnswerPart(text, rule.tag());
  if (!part) return Broken(0, NotOnce(rule.tag()));
  const absl::StatusOr<nlohmann::json> value =
      ParseBoundedJson(absl::StripAsciiWhitespace(*part), kAnswerBounds);
  if (!value.ok()) return Broken(0, absl::StrCat("the JSON cannot be used: ", value.status().message()));
  try {
    if (valijson::Validator().validate(schema, NlohmannJsonAdapter(*value), nullptr)) return Holds();
    return Broken(0.5, Reason(*plain, schema, *value));
  } catch (const std::exception& error) {
    return Broken(0.5,
                  absl::StrCat("the JSON cannot be held against the schema: ", QuoteToken(error.what())));
  }
}

}  // namespace lvrpo
