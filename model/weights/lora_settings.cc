#include "model/weights/lora_settings.h"

#include <algorithm>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "model/config/config_reader.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

constexpr int64_t kMaxConfigBytes = int64_t{16} << 20;

bool IsOff(const nlohmann::json& value) {
  if (value.is_number()) return value == 0;
  return value.is_null() || value == false || (!value.is_boolean() && value.empty()) || value == "";
}

// nullptr when RE2 cannot parse it: either it has look-around, or the problem is reported.
std::shared_ptr<const RE2> ReadPattern(const std::string& text, absl::string_view key, ConfigReader& reader) {
  RE2::Options options;
  options.set_log_errors(false);
  const auto pattern = std::make_shared<const RE2>(text, options);
  if (pattern->ok()) return pattern;
  for (const char* look_around : {"(?=", "(?!", "(?<=", "(?<!"}) {
    if (absl::StrContains(text, look_around)) return nullptr;
  }
  reader.Problem(key, absl::StrCat("is a regular expression that cannot be read: ", pattern->error()));
  return nullptr;
}

bool IsListOfTexts(const nlohmann::json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(),
                                         [](const nlohmann::json& element) { return element.is_string(); });
}

ModuleRule ReadRule(const nlohmann::json& config, const char* key, ConfigReader& reader) {
  ModuleRule rule;
  if (!reader.Has(key)) return rule;
  const nlohmann::json& value = config[key];
  rule.present = true;
  if (value == "all-linear") {
    rule.all_linear = true;
  } else if (value.is_string()) {
    rule.pattern = ReadPattern(value.get<std::string>(), key, reader);
    rule.readable = rule.pattern != nullptr;
  } else if (IsListOfTexts(value)) {
    rule.endings = value.get<std::set<std::string>>();
  } else {
    reader.Problem(key, "is neither a list of module names nor a regular expression");
  }
  return rule;
}

// An object of values by pattern, in the order of the file: `ordered` is the file once more.
template <typename Value, typename Read>
ValuesByPattern<Value> ReadValues(const nlohmann::ordered_json& ordered, const char* key,
                                  ConfigReader& reader, const Read& read) {
  ValuesByPattern<Value> values;
  if (reader.Object(key).empty()) return values;
  for (const auto& [text, value] : ordered[key].items()) {
    const std::string name = absl::StrCat(key, ".", text);
    const std::shared_ptr<const RE2> pattern =
        ReadPattern(absl::StrCat("(?:.*\\.)?(?:", text, ")"), name, reader);
    if (pattern == nullptr) {
      reader.Problem(name, "is no expression that RE2 knows, which has no look-around");
    } else {
      values.emplace_back(pattern, read(name, nlohmann::json(value)));
    }
  }
  return values;
}

template <typename Value>
Value ValueOf(const ValuesByPattern<Value>& values, const std::string& module, Value otherwise) {
  for (const auto& [pattern, value] : values) {
    if (RE2::FullMatch(module, *pattern)) return value;
  }
  return otherwise;
}

void ReadLayers(const nlohmann::json& config, ConfigReader& reader, AdapterSettings& settings) {
  if (!reader.Has("layers_to_transform")) return;
  nlohmann::json layers = config["layers_to_transform"];  // [] is all layers, but 0 is one
  if (!layers.is_array()) layers = nlohmann::json::array({layers});
  for (const nlohmann::json& layer : layers) {
    if (!layer.is_number_integer() || layer < 0)
      return reader.Problem("layers_to_transform", "is neither a whole number nor a list of such");
    settings.layers.insert(layer.get<int64_t>());
  }
  settings.some_layers = !settings.layers.empty();
}

std::vector<std::string> ReadTexts(const nlohmann::json& config, const char* key, ConfigReader& reader) {
  if (!reader.Has(key)) return {};
  const nlohmann::json& value = config[key];
  if (IsListOfTexts(value)) return value.get<std::vector<std::string>>();
  if (value.is_string())
    return value == "" ? std::vector<std::string>() : std::vector{value.get<std::string>()};
  reader.Problem(key, "is neither a text nor a list of texts");
  return {};
}

// The number of a module's layer: in "model.layers.12.mlp.up_proj" 12. With several numbers the last, as in
// PEFT's greedy expression. -1: none.
int64_t LayerOf(const std::string& module, const std::vector<std::string>& names) {
  const std::vector<std::string> any = {"[^.]*"};
  for (const std::string& name : names.empty() ? any : names) {
    int64_t layer = -1;
    if (RE2::FullMatch(module, absl::StrCat(".*\\.(?:", name, ")\\.(\\d+)\\..*"), &layer)) return layer;
  }
  return -1;
}

}  // namespace

bool ModuleRule::Matches(const std::string& module) const {
  if (all_linear) return true;
  if (pattern != nullptr) return RE2::FullMatch(module, *pattern);
  if (endings.contains(module)) return true;
  for (size_t dot = module.find('.'); dot != std::string::npos; dot = module.find('.', dot + 1)) {
    if (endings.contains(module.substr(dot + 1))) return true;
  }
  return false;
}

bool AdapterSettings::Targets(const std::string& module) const {
  if (!targets.Matches(module) || (excluded.present && excluded.Matches(module))) return false;
  const bool by_name = targets.endings.contains(module);  // a full name matches in every layer
  if (!some_layers || targets.pattern != nullptr || targets.all_linear || by_name) return true;
  return layers.contains(LayerOf(module, layer_names));
}

int64_t AdapterSettings::RankOf(const std::string& module) const {
  return ValueOf(ranks, module, config.rank);
}

double AdapterSettings::ScaleOf(const std::string& module) const {
  LoraConfig own = config;
  own.rank = RankOf(module);
  own.alpha = ValueOf(alphas, module, config.alpha);
  return LoraScale(own);
}

bool AdapterSettings::SavesWhole(const std::string& tensor) const {
  for (size_t dot = tensor.find('.'); dot != std::string::npos; dot = tensor.find('.', dot + 1)) {
    const std::string module = tensor.substr(0, dot);
    for (const std::string& ending : saved_modules) {
      if (absl::EndsWith(module, ending)) return true;
    }
  }
  return false;
}

absl::StatusOr<AdapterSettings> ReadAdapterSettings(const std::string& path) {
  if (const absl::StatusOr<int64_t> size = FileSize(path); size.ok() && *size > kMaxConfigBytes)
    return absl::InvalidArgumentError(absl::StrCat(path, " has ", *size, " bytes: too many for settings"));
  const absl::StatusOr<nlohmann::json> json = ReadJsonObject(path);
  if (!json.ok()) return json.status();
  const absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  nlohmann::ordered_json ordered = nlohmann::ordered_json::parse(*bytes, nullptr, /*allow_exceptions=*/false);
  if (ordered.is_discarded()) ordered = *json;  // with a trailing comma

  AdapterSettings settings;
  LoraConfig& config = settings.config;
  ConfigReader reader(*json, path);
  for (const char* key : {"peft_type", "r", "lora_alpha", "target_modules"}) {
    if (!reader.Has(key)) reader.Problem(key, "is missing");
  }
  reader.OneOf("peft_type", {"LORA"});
  reader.Integer("r", config.rank);
  reader.Number("lora_alpha", config.alpha);
  reader.Flag("use_rslora", config.rslora);
  reader.OneOf("bias", {"none"});
  if (config.rank < 1) reader.Problem("r", "is below 1");
  if (!(config.alpha > 0)) reader.Problem("lora_alpha", "is not above 0");
  // Other initializations move a part of the base weights into the adapter, which then fits no other base.
  if (reader.Has("init_lora_weights") && !(*json)["init_lora_weights"].is_boolean())
    reader.OneOf("init_lora_weights", {"gaussian", "eva", "orthogonal"});
  settings.targets = ReadRule(*json, "target_modules", reader);
  settings.excluded = ReadRule(*json, "exclude_modules", reader);
  ReadLayers(*json, reader, settings);
  settings.layer_names = ReadTexts(*json, "layers_pattern", reader);
  for (const std::string& name : settings.layer_names) {
    if (ReadPattern(name, "layers_pattern", reader) == nullptr)
      reader.Problem("layers_pattern", "is no expression that RE2 knows, which has no look-around");
  }
  settings.saved_modules = ReadTexts(*json, "modules_to_save", reader);
  settings.ranks = ReadValues<int64_t>(
      ordered, "rank_pattern", reader, [&](const std::string& name, const nlohmann::json& value) {
        if (value.is_number_integer() && value >= 1 && value <= std::numeric_limits<int32_t>::max())
          return value.get<int64_t>();
        reader.Problem(name, "is no whole number above 0");
        return int64_t{1};
      });
  settings.alphas = ReadValues<double>(ordered, "alpha_pattern", reader,
                                       [&](const std::string& name, const nlohmann::json& value) {
                                         if (value.is_number() && value > 0) return value.get<double>();
                                         reader.Problem(name, "is no number above 0");
                                         return 1.0;
                                       });
  if (reader.Has("base_model_name_or_path") && (*json)["base_model_name_or_path"].is_string())
    settings.base_model = (*json)["base_model_name_or_path"].get<std::string>();
  // Training, initialization, and who wrote the file.
  reader.Harmless({"lora_dropout", "inference_mode", "task_type", "auto_mapping", "revision", "peft_version",
                   "ensure_weight_tying", "loftq_config", "eva_config", "corda_config", "lora_ga_config",
                   "megatron_core", "qalora_group_size"});
  for (const auto& [key, value] : json->items()) {
    if (!reader.WasAsked(key) && !IsOff(value)) reader.Problem(key, "is set, which is not supported");
  }
  if (absl::Status status = reader.status(); !status.ok()) return status;
  return settings;
}

}  // namespace lvrpo
