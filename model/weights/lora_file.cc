#include "model/weights/lora_file.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/json/json_text.h"
#include "model/weights/lora_settings.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

constexpr char kConfigFile[] = "adapter_config.json";
constexpr char kWeightsFile[] = "adapter_model.safetensors";
constexpr char kPrefix[] = "base_model.model.";
std::string Listed(const std::vector<std::string>& names) {
  const size_t shown = std::min<size_t>(10, names.size());
  return absl::StrCat(names.size(), " (", absl::StrJoin(names.begin(), names.begin() + shown, ", "),
                      names.size() > shown ? ", ..." : "", ")");
}

// The tensors of an adapter file under this project's names.
struct AdapterTensors {
  TensorMap lora;   // A and B
  TensorMap whole;  // of modules_to_save
};

// "q_proj.lora_A.default.weight", PEFT's name in memory, -> "q_proj.lora_A.weight", its name in files; and
// "head.modules_to_save.default.weight" -> "head.weight". Adds the adapter's name to `adapters`.
std::string WithoutAdapterName(std::string name, std::set<std::string>& adapters) {
  for (const char* part : {".lora_A.", ".lora_B.", ".modules_to_save."}) {
    const size_t at = name.find(part);
    if (at == std::string::npos) continue;
    const size_t begin = at + std::string(part).size(), end = name.find('.', begin);
    if (end == std::string::npos) break;  // no name of an adapter in between
    adapters.insert(name.substr(begin, end - begin));
    return name.substr(0, part == std::string(".modules_to_save.") ? at + 1 : begin) + name.substr(end + 1);
  }
  return name;
}

// The names that an adapter's tensors may have in addition to the base's.
ShapeMap NamesForAdapters(const ShapeMap& base) {
  ShapeMap names = base;
  for (const auto& [name, shape] : base) {
    const absl::string_view module = absl::StripSuffix(name, ".weight");
    for (const char* half : {kLoraA, kLoraB}) names.emplace(absl::StrCat(module, half), shape);
  }
  return names;
}

// PEFT's names -> this project's.
absl::StatusOr<AdapterTensors> ReadAdapterTensors(const std::string& folder, const AdapterSettings& settings,
                                                  const ShapeMap& base) {
  const std::string path = JoinPath(folder, kWeightsFile);
  if (!Exists(path) && Exists(JoinPath(folder, "adapter_model.bin"))) {
    return absl::NotFoundError(absl::StrCat(folder,
                                            " holds adapter_model.bin, a pickle, which is not read: save ",
                                            "it again as ", kWeightsFile));
  }
  absl::StatusOr<TensorMap> stored = LoadTensors(path);
  if (!stored.ok()) return stored.status();
  std::set<std::string> adapters;
  TensorMap named;
  for (const auto& [name, tensor] : *stored) named[WithoutAdapterName(name, adapters)] = tensor;
  if (adapters.size() > 1 || named.size() != stored->size()) {
    return absl::DataLossError(absl::StrCat(path, " holds several adapters (", absl::StrJoin(adapters, ", "),
                                            "): save the one that is wanted alone"));
  }
  if (absl::Status status = CheckFinite(named, path); !status.ok()) return status;
  std::string prefix = CommonPrefix(NamesForAdapters(base), named);
  if (prefix.empty() && (named.empty() || absl::StartsWith(named.begin()->first, kPrefix))) prefix = kPrefix;
  AdapterTensors tensors;
  std::vector<std::string> strange, embeddings;
  for (const auto& [name, tensor] : named) {
    const std::string own(absl::StripPrefix(name, prefix));
    if (absl::StrContains(name, ".lora_embedding_")) {
      embeddings.push_back(name);
    } else if (absl::StartsWith(name, prefix) && IsLoraName(own)) {
      tensors.lora[own] = tensor;
    } else if (absl::StartsWith(name, prefix) && settings.SavesWhole(own)) {
      tensors.whole[own] = tensor;
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
        absl::StrCat(path, ": tensors that are not named ", prefix,
                     "<module>.lora_... and are of no module that modules_to_save names: ", Listed(strange)));
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

// PEFT creates adapters by the rules and ignores other tensors: where the two files disagree, we would
// compute something else than PEFT.
absl::Status CheckTargets(const AdapterSettings& settings, const ShapeMap& base, const std::string& folder) {
  if (!settings.targets.readable || !settings.excluded.readable) return absl::OkStatus();
  const std::set<std::string> adapted(settings.config.modules.begin(), settings.config.modules.end());
  std::vector<std::string> untargeted, without;
  for (const std::string& module : adapted) {
    if (!settings.Targets(module)) untargeted.push_back(module);
  }
  for (const auto& [name, shape] : base) {
    const std::string module(absl::StripSuffix(name, ".weight"));
    if (module != name && shape.size() >= 2 && settings.Targets(module) && !adapted.contains(module))
      without.push_back(module);
  }
  // "all-linear" depends on the model's class (it leaves out the head): the tensors decide.
  if (settings.targets.all_linear) without.clear();
  if (untargeted.empty() && without.empty()) return absl::OkStatus();
  std::string message = absl::StrCat(folder, ": ", kConfigFile, " and ", kWeightsFile, " disagree:");
  if (!untargeted.empty()) absl::StrAppend(&message, " not targeted but adapted ", Listed(untargeted));
  if (!without.empty()) absl::StrAppend(&message, " targeted but without adapter ", Listed(without));
  return absl::DataLossError(message);
}

// Checks that every adapter is complete and has its layer's rank.
absl::Status CheckRanks(const AdapterSettings& settings, const TensorMap& lora, const ShapeMap& base,
                        const std::string& path) {
  std::map<int64_t, TensorMap> by_rank;
  if (lora.empty()) by_rank[settings.config.rank] = {};
  for (const auto& [name, tensor] : lora)
    by_rank[settings.RankOf(name.substr(0, name.find(".lora_")))][name] = tensor;
  for (const auto& [rank, tensors] : by_rank) {
    LoraConfig config = settings.config;
    config.rank = rank;
    if (absl::Status status = CheckLora(tensors, base, config, path); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// Checks modules_to_save: all of their tensors, in the base's shapes, without an adapter.
absl::Status CheckWhole(const AdapterSettings& settings, const AdapterTensors& tensors, const ShapeMap& base,
                        const std::string& path) {
  ShapeMap wanted;
  for (const auto& [name, shape] : base) {
    if (settings.SavesWhole(name)) wanted[name] = shape;
  }
  for (const std::string& ending : settings.saved_modules) {
    AdapterSettings alone;
    alone.saved_modules = {ending};
    if (std::none_of(wanted.begin(), wanted.end(),
                     [&](const auto& entry) { return alone.SavesWhole(entry.first); })) {
      return absl::DataLossError(
          absl::StrCat(path, ": modules_to_save names ", ending, ", which the base does not have"));
    }
  }
  for (const auto& [name, tensor] : tensors.lora) {
    if (settings.SavesWhole(name)) {
      return absl::DataLossError(
          absl::StrCat(path, ": ", name, " is an adapter of a module that modules_to_save names too"));
    }
  }
  return CheckTensors(wanted, tensors.whole, path);
}

nlohmann::json ConfigJson(const LoraConfig& config, const std::vector<std::string>& modules,
                          const std::string& base_model) {
  nlohmann::json alpha = config.alpha;  // usually an integer in PEFT
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
  // Weight shapes implied by A and B, so that CheckLora can only find incomplete adapters and wrong ranks.
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
  const std::string path = JoinPath(folder, kWeightsFile);
  absl::StatusOr<AdapterSettings> settings = ReadAdapterSettings(JoinPath(folder, kConfigFile));
  if (!settings.ok()) return settings.status();
  absl::StatusOr<AdapterTensors> tensors = ReadAdapterTensors(folder, *settings, base);
  if (!tensors.ok()) return tensors.status();
  if (absl::Status status = CheckRanks(*settings, tensors->lora, base, path); !status.ok()) return status;
  if (absl::Status status = CheckWhole(*settings, *tensors, base, path); !status.ok()) return status;
  settings->config.modules = AdaptedModules(tensors->lora);
  if (absl::Status status = CheckTargets(*settings, base, folder); !status.ok()) return status;
  LoraAdapter adapter = {
      settings->config, std::move(tensors->lora), {}, std::move(tensors->whole), settings->base_model};
  for (const std::string& module : adapter.config.modules) adapter.scales[module] = settings->ScaleOf(module);
  return adapter;
}

}  // namespace lvrpo
