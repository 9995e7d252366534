#include "model/lora_file.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/file.h"
#include "common/filesystem.h"
#include "common/json_text.h"
#include "model/config_reader.h"
#include "nlohmann/json.hpp"
#include "re2/re2.h"

namespace lvrpo {
namespace {

constexpr char kConfigFile[] = "adapter_config.json";
constexpr char kWeightsFile[] = "adapter_model.safetensors";
constexpr char kPrefix[] = "base_model.model.";
constexpr int64_t kMaxConfigBytes = int64_t{16} << 20;

// Settings that are read below, or that change nothing about what a finished adapter computes.
const std::set<std::string>& AllowedSettings() {
  static const auto* const allowed =
      new std::set<std::string>{"peft_type", "r", "lora_alpha", "use_rslora", "bias", "target_modules",
                                "exclude_modules", "init_lora_weights", "base_model_name_or_path",
                                // Which layers were chosen: the tensors say it too.
                                "layers_to_transform", "layers_pattern",
                                // Training, initialization, bookkeeping.
                                "lora_dropout", "inference_mode", "task_type", "auto_mapping", "revision",
                                "peft_version", "ensure_weight_tying", "loftq_config", "eva_config",
                                "corda_config", "lora_ga_config", "megatron_core", "qalora_group_size"};
  return *allowed;
}

bool IsOff(const nlohmann::json& value) {
  if (value.is_number()) return value == 0;
  return value.is_null() || value == false || (!value.is_boolean() && value.empty()) || value == "";
}

// The layers that target_modules or exclude_modules names.
class ModuleRule {
 public:
  // A list of names or name endings, a regular expression, or null: no rule.
  static ModuleRule FromJson(const nlohmann::json& config, const char* key, ConfigReader& reader) {
    ModuleRule rule;
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) return rule;
    rule.present_ = true;
    if (found->is_string()) {
      rule.ReadPattern(found->get<std::string>(), key, reader);
    } else if (found->is_array() && std::all_of(found->begin(), found->end(),
                                                [](const auto& element) { return element.is_string(); })) {
      rule.endings_ = found->get<std::set<std::string>>();
    } else {
      reader.Problem(key, "is neither a list of module names nor a regular expression");
    }
    return rule;
  }

  bool present() const { return present_; }
  bool readable() const { return readable_; }
  // PEFT's rule for lists: the name, or its end behind a dot.
  bool Matches(const std::string& module) const {
    if (pattern_ != nullptr) return RE2::FullMatch(module, *pattern_);
    if (endings_.contains(module)) return true;
    for (size_t dot = module.find('.'); dot != std::string::npos; dot = module.find('.', dot + 1)) {
      if (endings_.contains(module.substr(dot + 1))) return true;
    }
    return false;
  }

 private:
  void ReadPattern(const std::string& text, const char* key, ConfigReader& reader) {
    RE2::Options options;
    options.set_log_errors(false);
    pattern_ = std::make_shared<RE2>(text, options);
    if (pattern_->ok()) return;
    readable_ = false;
    for (const char* look_around : {"(?=", "(?!", "(?<=", "(?<!"}) {
      if (absl::StrContains(text, look_around)) return;
    }
    reader.Problem(key, absl::StrCat("is a regular expression that cannot be read: ", pattern_->error()));
  }

  bool present_ = false, readable_ = true;
  std::set<std::string> endings_;
  std::shared_ptr<const RE2> pattern_;
};

struct AdapterSettings {
  LoraConfig config;
  std::string base_model;
  ModuleRule targets, excluded;
  bool some_layers = false;  // layers_to_transform narrows the targets
};

absl::StatusOr<AdapterSettings> ReadSettings(const std::string& path) {
  if (const absl::StatusOr<int64_t> size = FileSize(path); size.ok() && *size > kMaxConfigBytes)
    return absl::InvalidArgumentError(absl::StrCat(path, " has ", *size, " bytes: too many for settings"));
  const absl::StatusOr<nlohmann::json> json = ReadJsonObject(path);
  if (!json.ok()) return json.status();

  AdapterSettings settings;
  ConfigReader reader(*json, path);
  for (const char* key : {"peft_type", "r", "lora_alpha", "target_modules"}) {
    if (!reader.Has(key)) reader.Problem(key, "is missing");
  }
  reader.OneOf("peft_type", {"LORA"});
  reader.Integer("r", settings.config.rank);
  reader.Number("lora_alpha", settings.config.alpha);
  reader.Flag("use_rslora", settings.config.rslora);
  reader.OneOf("bias", {"none"});
  if (settings.config.rank < 1) reader.Problem("r", "is below 1");
  if (!(settings.config.alpha > 0)) reader.Problem("lora_alpha", "is not above 0");
  // Other initializations move a part of the base weights into the adapter, which then fits no other base.
  if (const auto init = json->find("init_lora_weights"); init != json->end() && !init->is_boolean())
    reader.OneOf("init_lora_weights", {"gaussian", "eva", "orthogonal"});
  for (const auto& [key, value] : json->items()) {
    if (!AllowedSettings().contains(key) && !IsOff(value))
      reader.Problem(key, "is set, which is not supported");
  }
  settings.targets = ModuleRule::FromJson(*json, "target_modules", reader);
  settings.excluded = ModuleRule::FromJson(*json, "exclude_modules", reader);
  const auto layers = json->find("layers_to_transform");  // null and [] are all layers, but 0 is one
  settings.some_layers = layers != json->end() && !layers->empty();
  if (const auto name = json->find("base_model_name_or_path"); name != json->end() && name->is_string())
    settings.base_model = name->get<std::string>();
  if (absl::Status status = reader.status(); !status.ok()) return status;
  return settings;
}

std::string Listed(const std::vector<std::string>& names) {
  const size_t shown = std::min<size_t>(10, names.size());
  return absl::StrCat(names.size(), " (", absl::StrJoin(names.begin(), names.begin() + shown, ", "),
                      names.size() > shown ? ", ..." : "", ")");
}

// PEFT's names -> this project's.
absl::StatusOr<TensorMap> ReadAdapterTensors(const std::string& folder) {
  const std::string path = JoinPath(folder, kWeightsFile);
  if (!Exists(path) && Exists(JoinPath(folder, "adapter_model.bin"))) {
    return absl::NotFoundError(absl::StrCat(folder,
                                            " holds adapter_model.bin, a pickle, which is not read: save ",
                                            "it again as ", kWeightsFile));
  }
  absl::StatusOr<TensorMap> stored = LoadTensors(path);
  if (!stored.ok()) return stored.status();
  TensorMap tensors;
  std::vector<std::string> strange, embeddings;
  for (const auto& [name, tensor] : *stored) {
    if (absl::StrContains(name, ".lora_embedding_")) {
      embeddings.push_back(name);
    } else if (absl::StartsWith(name, kPrefix) && IsLoraName(name)) {
      tensors[std::string(absl::StripPrefix(name, kPrefix))] = tensor;
    } else {
      strange.push_back(name);
    }
  }
  if (!embeddings.empty()) {
    return absl::UnimplementedError(
        absl::StrCat(path, ": adapters of embeddings are not supported: tensors ", Listed(embeddings)));
  }
  if (!strange.empty()) {
    return absl::DataLossError(
        absl::StrCat(path, ": tensors that are not named ", kPrefix, "<module>.lora_...: ", Listed(strange)));
  }
  return tensors;
}

std::vector<std::string> AdaptedModules(const TensorMap& adapters) {
  std::vector<std::string> modules;
  for (const auto& [name, tensor] : adapters) {
    if (absl::EndsWith(name, kLoraA)) modules.push_back(std::string(absl::StripSuffix(name, kLoraA)));
  }
  return modules;
}

// PEFT makes adapters for what the rules say and ignores tensors for anything else: when the two files
// disagree, it and we would compute different things.
absl::Status CheckTargets(const AdapterSettings& settings, const ShapeMap& base, const std::string& folder) {
  if (!settings.targets.readable() || !settings.excluded.readable()) return absl::OkStatus();
  const std::set<std::string> adapted(settings.config.modules.begin(), settings.config.modules.end());
  const auto targeted = [&](const std::string& module) {
    return settings.targets.Matches(module) &&
           !(settings.excluded.present() && settings.excluded.Matches(module));
  };
  std::vector<std::string> beside, without;
  for (const std::string& module : adapted) {
    if (!targeted(module)) beside.push_back(module);
  }
  for (const auto& [name, shape] : base) {
    const std::string module(absl::StripSuffix(name, ".weight"));
    if (module != name && shape.size() >= 2 && targeted(module) && !adapted.contains(module))
      without.push_back(module);
  }
  if (settings.some_layers) without.clear();
  if (beside.empty() && without.empty()) return absl::OkStatus();
  std::string message = absl::StrCat(folder, ": ", kConfigFile, " and ", kWeightsFile, " disagree:");
  if (!beside.empty()) absl::StrAppend(&message, " not targeted but adapted ", Listed(beside));
  if (!without.empty()) absl::StrAppend(&message, " targeted but without adapter ", Listed(without));
  return absl::DataLossError(message);
}

nlohmann::json ConfigJson(const LoraConfig& config, const std::vector<std::string>& modules,
                          const std::string& base_model) {
  nlohmann::json alpha = config.alpha;  // PEFT's is an integer, most often
  if (config.alpha == std::floor(config.alpha) && config.alpha < 1e15)
    alpha = static_cast<int64_t>(config.alpha);
  const nlohmann::json none;
  return {{"peft_type", "LORA"},
          {"task_type", none},
          {"base_model_name_or_path", base_model.empty() ? none : nlohmann::json(base_model)},
          {"r", config.rank},
          {"lora_alpha", alpha},
          {"use_rslora", config.rslora},
          {"target_modules", modules},
          {"rank_pattern", nlohmann::json::object()},
          {"alpha_pattern", nlohmann::json::object()},
          {"bias", "none"},
          {"modules_to_save", none},
          {"use_dora", false},
          {"fan_in_fan_out", false},
          {"init_lora_weights", true},
          {"lora_dropout", 0.0},
          {"inference_mode", true}};
}

}  // namespace

absl::Status SaveAdapter(const std::string& folder, const TensorMap& tensors, const LoraConfig& config,
                         const std::string& base_model) {
  const TensorMap adapters = ExtractLora(tensors);
  // The base's shapes as A and B have them: what is left to find are halves without the other and ranks.
  ShapeMap base;
  for (const auto& [name, tensor] : adapters) {
    std::vector<int64_t>& weight =
        base.try_emplace(absl::StrCat(name.substr(0, name.find(".lora_")), ".weight"), 2, 0).first->second;
    if (tensor.dim() == 2 && absl::EndsWith(name, kLoraA)) weight[1] = tensor.size(1);
    if (tensor.dim() == 2 && absl::EndsWith(name, kLoraB)) weight[0] = tensor.size(0);
  }
  if (absl::Status status = CheckLora(adapters, base, config, "the adapter to be saved"); !status.ok())
    return status;
  TensorMap named;
  for (const auto& [name, tensor] : adapters) named[kPrefix + name] = tensor;
  if (absl::Status status = MakeFolder(folder); !status.ok()) return status;
  if (absl::Status status =
          SaveTensors(JoinPath(folder, kWeightsFile), named, std::nullopt, {{"format", "pt"}});
      !status.ok())
    return status;
  const nlohmann::json json = ConfigJson(config, AdaptedModules(adapters), base_model);
  return WriteFileAtomic(JoinPath(folder, kConfigFile), JsonText(json, 2) + "\n");
}

absl::StatusOr<LoraAdapter> LoadAdapter(const std::string& folder, const ShapeMap& base) {
  absl::StatusOr<AdapterSettings> settings = ReadSettings(JoinPath(folder, kConfigFile));
  if (!settings.ok()) return settings.status();
  absl::StatusOr<TensorMap> tensors = ReadAdapterTensors(folder);
  if (!tensors.ok()) return tensors.status();
  if (absl::Status status = CheckLora(*tensors, base, settings->config, JoinPath(folder, kWeightsFile));
      !status.ok())
    return status;
  settings->config.modules = AdaptedModules(*tensors);
  if (absl::Status status = CheckTargets(*settings, base, folder); !status.ok()) return status;
  return LoraAdapter{settings->config, *std::move(tensors), settings->base_model};
}

}  // namespace lvrpo
