#include "model/config/config_reader.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/text_file.h"
#include "common/json/json_text.h"
#include "common/json/parse_json.h"
#include "model/config/harmless_settings.h"

namespace lvrpo {
namespace {

const nlohmann::json& EmptyObject() {
  static const nlohmann::json* const empty = new nlohmann::json(nlohmann::json::object());
  return *empty;
}

// A value in an error message, kept short.
std::string Show(const nlohmann::json& value) {
  const std::string text = JsonText(value);
  return text.size() > 60 ? text.substr(0, 60) + "..." : text;
}

bool IsOneOf(const nlohmann::json& value, absl::Span<const absl::string_view> allowed) {
  return value.is_string() &&
         std::find(allowed.begin(), allowed.end(), value.get_ref<const std::string&>()) != allowed.end();
}

// Removes commas before a closing bracket, outside of quoted strings.
std::string WithoutTrailingCommas(absl::string_view json) {
  std::string kept;
  bool quoted = false;
  for (size_t i = 0; i < json.size(); ++i) {
    if (quoted && json[i] == '\\' && i + 1 < json.size())
      kept.push_back(json[i++]);
    else if (json[i] == '"')
      quoted = !quoted;
    if (json[i] == ',' && !quoted) {
      const size_t next = json.find_first_not_of(" \t\r\n", i + 1);
      if (next != absl::string_view::npos && (json[next] == '}' || json[next] == ']')) continue;
    }
    kept.push_back(json[i]);
  }
  return kept;
}

// A rope_scaling or rope_parameters object: only the plain rotary embedding is supported. rope_parameters may
// hold the base.
void ReadRope(ConfigReader& reader, absl::string_view key, double& theta) {
  const nlohmann::json& object = reader.Object(key);
  if (object.empty()) return;
  ConfigReader rope(object, std::string(key));
  rope.OneOf("rope_type", {"default"});
  rope.OneOf("type", {"default"});
  rope.About("partial_rotary_factor", 1);
  if (key == "rope_parameters") {
    rope.Number("rope_theta", theta);
  } else if (!rope.Has("rope_type") && !rope.Has("type")) {
    reader.Problem(key, "is set, which is not supported");
    return;
  }
  rope.RefuseUnknown();
  reader.Include(key, rope);
}

}  // namespace

const nlohmann::json* ConfigReader::Find(absl::string_view key) const {
  asked_.emplace(key);
  const auto found = json_.find(std::string(key));
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

void ConfigReader::Problem(absl::string_view key, absl::string_view what) {
  problems_.push_back(absl::StrCat(key, " ", what));
}

void ConfigReader::RefuseNull(absl::string_view key) {
  asked_.emplace(key);
  const auto found = json_.find(std::string(key));
  const absl::Span<const absl::string_view> absent = NullIsAbsent();
  if (found != json_.end() && found->is_null() && std::count(absent.begin(), absent.end(), key) == 0)
    Problem(key, "is null, which is no value; leave it out, or give one");
}

const nlohmann::json* ConfigReader::Value(absl::string_view key) {
  RefuseNull(key);
  return Find(key);
}

void ConfigReader::Integer(absl::string_view key, int64_t& value) {
  const nlohmann::json* found = Value(key);
  if (found == nullptr) return;
  if (!found->is_number_integer() ||
      (found->is_number_unsigned() && found->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)))
    return Problem(key, absl::StrCat("is ", Show(*found), ", want a whole number"));
  value = found->get<int64_t>();
}

void ConfigReader::Number(absl::string_view key, double& value) {
  const nlohmann::json* found = Value(key);
  if (found == nullptr) return;
  if (!found->is_number() || !std::isfinite(found->get<double>()))
    return Problem(key, absl::StrCat("is ", Show(*found), ", want a number"));
  value = found->get<double>();
}

void ConfigReader::Flag(absl::string_view key, bool& value) {
  const nlohmann::json* found = Value(key);
  if (found == nullptr) return;
  if (!found->is_boolean()) return Problem(key, absl::StrCat("is ", Show(*found), ", want true or false"));
  value = found->get<bool>();
}

void ConfigReader::OneOf(absl::string_view key, absl::Span<const absl::string_view> allowed,
                         std::string* value) {
  const nlohmann::json* found = Value(key);
  if (found == nullptr) return;
  if (!IsOneOf(*found, allowed))
    return Problem(key, absl::StrCat("is ", Show(*found), "; supported: ", absl::StrJoin(allowed, ", ")));
  if (value != nullptr) *value = found->get<std::string>();
}

void ConfigReader::EveryOneOf(absl::string_view key, std::initializer_list<absl::string_view> allowed,
                              int64_t count) {
  const nlohmann::json* found = Find(key);
  if (found == nullptr) return;
  if (!found->is_array()) return Problem(key, absl::StrCat("is ", Show(*found), ", want a list"));
  for (const nlohmann::json& element : *found) {
    if (IsOneOf(element, allowed)) continue;
    return Problem(key, absl::StrCat("has ", Show(element), "; supported: ", absl::StrJoin(allowed, ", ")));
  }
  if (static_cast<int64_t>(found->size()) != count)
    Problem(key, absl::StrCat("has ", found->size(), " entries, want ", count));
}

void ConfigReader::Exactly(absl::string_view key, int64_t only) {
  int64_t value = only;
  Integer(key, value);
  if (value != only) Problem(key, absl::StrCat("is ", value, "; supported: ", only));
}

void ConfigReader::About(absl::string_view key, double only) {
  double value = only;
  Number(key, value);
  if (std::abs(value - only) > 1e-7 * std::abs(only))
    Problem(key, absl::StrCat("is ", value, "; supported: ", only));
}

void ConfigReader::Never(absl::string_view key) {
  bool value = false;
  if (Has(key)) Flag(key, value);  // null is off
  if (value) Problem(key, "is true, which is not supported");
}

void ConfigReader::Always(absl::string_view key) {
  bool value = true;
  Flag(key, value);
  if (!value) Problem(key, "is false, which is not supported");
}

void ConfigReader::Empty(absl::string_view key) {
  const nlohmann::json* found = Find(key);
  if (found != nullptr && (!found->is_structured() || !found->empty()))
    Problem(key, absl::StrCat("is ", Show(*found), ", which is not supported"));
}

void ConfigReader::Harmless(absl::Span<const absl::string_view> keys) {
  for (const absl::string_view key : keys) asked_.emplace(key);
}

void ConfigReader::Harmless(std::initializer_list<absl::string_view> keys) {
  for (const absl::string_view key : keys) asked_.emplace(key);
}

void ConfigReader::Include(absl::string_view key, const ConfigReader& section) {
  for (const std::string& problem : section.problems_) problems_.push_back(absl::StrCat(key, ".", problem));
}

void ConfigReader::RefuseUnknown() {
  for (const auto& [key, value] : json_.items()) {
    if (value.is_null() || asked_.contains(key)) continue;
    Problem(key, absl::StrCat("is ", Show(value),
                              " and not known to this program: the model may be another "
                              "one than it computes; remove it if it changes nothing"));
  }
}

const nlohmann::json& ConfigReader::Object(absl::string_view key) {
  const nlohmann::json* found = Find(key);
  if (found == nullptr) return EmptyObject();
  if (found->is_object()) return *found;
  Problem(key, absl::StrCat("is ", Show(*found), ", want an object"));
  return EmptyObject();
}

absl::Status ConfigReader::status() const {
  if (problems_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(where_, ": ", absl::StrJoin(problems_, "; ")));
}

void ReadCommonSettings(ConfigReader& reader) {
  reader.Harmless(HarmlessOfAnyModel());
  for (const char* key : {"is_decoder", "is_encoder_decoder", "add_cross_attention", "tie_encoder_decoder"})
    reader.Never(key);
  reader.Empty("pruned_heads");
  if (reader.Has("quantization_config"))
    reader.Problem("quantization_config", "is set, which is not supported");
}

void ReadRotaryBase(ConfigReader& reader, double& theta) {
  reader.Number("rope_theta", theta);
  reader.About("partial_rotary_factor", 1);
  ReadRope(reader, "rope_scaling", theta);
  ReadRope(reader, "rope_parameters", theta);
}

absl::StatusOr<nlohmann::json> ReadJsonObject(const std::string& path) {
  absl::StatusOr<std::string> text = ReadTextFile(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<nlohmann::json> json = ParseJson(*text);
  if (!json.ok()) {
    if (absl::StatusOr<nlohmann::json> mended = ParseJson(WithoutTrailingCommas(*text)); mended.ok())
      json = std::move(mended);
  }
  if (!json.ok()) return absl::InvalidArgumentError(absl::StrCat(path, " is ", json.status().message()));
  if (!json->is_object()) return absl::InvalidArgumentError(absl::StrCat(path, " is not a JSON object"));
  return *std::move(json);
}

std::string ModelTypeOf(const nlohmann::json& config) {
  if (const auto type = config.find("model_type"); type != config.end() && type->is_string())
    return type->get<std::string>();
  if (const auto list = config.find("architectures");
      list != config.end() && list->is_array() && !list->empty() && (*list)[0].is_string())
    return (*list)[0].get<std::string>();
  return "";
}

}  // namespace lvrpo
