#include "model/config_reader.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/json_text.h"
#include "common/parse_json.h"
#include "common/text_file.h"

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

bool IsOneOf(const nlohmann::json& value, std::initializer_list<absl::string_view> allowed) {
  return value.is_string() &&
         std::find(allowed.begin(), allowed.end(), value.get_ref<const std::string&>()) != allowed.end();
}

// Without the commas that stand before a closing bracket; text in quotes is left alone.
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

// A rope_scaling or rope_parameters object: only the plain rotary embedding is supported.
void RefuseScaledRope(ConfigReader& reader, absl::string_view key) {
  const nlohmann::json& rope = reader.Object(key);
  if (rope.empty()) return;
  for (const char* name : {"rope_type", "type"}) {
    const auto type = rope.find(name);
    if (type == rope.end() || type->is_null()) continue;
    if (*type != "default")
      reader.Problem(absl::StrCat(key, ".", name),
                     absl::StrCat("is ", JsonText(*type), "; supported: default"));
    return;
  }
  if (key == "rope_scaling") reader.Problem(key, "is set, which is not supported");
}

}  // namespace

const nlohmann::json* ConfigReader::Find(absl::string_view key) const {
  const auto found = json_.find(std::string(key));
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

void ConfigReader::Problem(absl::string_view key, absl::string_view what) {
  problems_.push_back(absl::StrCat(key, " ", what));
}

void ConfigReader::Integer(absl::string_view key, int64_t& value) {
  const nlohmann::json* found = Find(key);
  if (found == nullptr) return;
  if (!found->is_number_integer() ||
      (found->is_number_unsigned() && found->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)))
    return Problem(key, absl::StrCat("is ", Show(*found), ", want a whole number"));
  value = found->get<int64_t>();
}

void ConfigReader::Number(absl::string_view key, double& value) {
  const nlohmann::json* found = Find(key);
  if (found == nullptr) return;
  if (!found->is_number() || !std::isfinite(found->get<double>()))
    return Problem(key, absl::StrCat("is ", Show(*found), ", want a number"));
  value = found->get<double>();
}

void ConfigReader::Flag(absl::string_view key, bool& value) {
  const nlohmann::json* found = Find(key);
  if (found == nullptr) return;
  if (!found->is_boolean()) return Problem(key, absl::StrCat("is ", Show(*found), ", want true or false"));
  value = found->get<bool>();
}

void ConfigReader::OneOf(absl::string_view key, std::initializer_list<absl::string_view> allowed) {
  const nlohmann::json* found = Find(key);
  if (found != nullptr && !IsOneOf(*found, allowed))
    Problem(key, absl::StrCat("is ", Show(*found), "; supported: ", absl::StrJoin(allowed, ", ")));
}

void ConfigReader::EveryOneOf(absl::string_view key, std::initializer_list<absl::string_view> allowed) {
  const nlohmann::json* found = Find(key);
  if (found == nullptr) return;
  if (!found->is_array()) return Problem(key, absl::StrCat("is ", Show(*found), ", want a list"));
  for (const nlohmann::json& element : *found) {
    if (IsOneOf(element, allowed)) continue;
    return Problem(key, absl::StrCat("has ", Show(element), "; supported: ", absl::StrJoin(allowed, ", ")));
  }
}

void ConfigReader::Exactly(absl::string_view key, int64_t only) {
  int64_t value = only;
  Integer(key, value);
  if (value != only) Problem(key, absl::StrCat("is ", value, "; supported: ", only));
}

void ConfigReader::Never(absl::string_view key) {
  bool value = false;
  Flag(key, value);
  if (value) Problem(key, "is true, which is not supported");
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

void ReadRotaryBase(ConfigReader& reader, double& theta) {
  reader.Number("rope_theta", theta);
  RefuseScaledRope(reader, "rope_scaling");
  RefuseScaledRope(reader, "rope_parameters");
  const nlohmann::json& rope = reader.Object("rope_parameters");
  const auto found = rope.find("rope_theta");
  if (found == rope.end() || found->is_null()) return;
  if (found->is_number())
    theta = found->get<double>();
  else
    reader.Problem("rope_parameters.rope_theta", absl::StrCat("is ", JsonText(*found), ", want a number"));
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
