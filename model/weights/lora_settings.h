#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/weights/lora.h"
#include "re2/re2.h"

// adapter_config.json of the PEFT library: which layers an adapter is for, and its scale on each.
namespace lvrpo {

// A set of layers by name: a list of names or name endings, or a regular expression that a whole name must
// match, or every linear layer. Copies share the expression.
class ModuleRule {
 public:
  bool present = false;  // null: no rule
  bool readable = true;  // false: an expression with look-around, which RE2 does not support
  bool all_linear = false;
  std::set<std::string> endings;
  std::shared_ptr<const RE2> pattern;

  // PEFT's rule for lists: the name, or its end after a dot.
  bool Matches(const std::string& module) const;
};

// Values for some layers, by regular expressions that the end of a layer's name must match, after a dot or
// as the whole name. The first that matches wins.
template <typename Value>
using ValuesByPattern = std::vector<std::pair<std::shared_ptr<const RE2>, Value>>;

struct AdapterSettings {
  LoraConfig config;  // rank and alpha where no pattern matches
  std::string base_model;
  ModuleRule targets, excluded;
  bool some_layers = false;                // only targets in `layers`
  std::set<int64_t> layers;                // layers_to_transform
  std::vector<std::string> layer_names;    // layers_pattern: the name before a layer's number; empty: any
  std::vector<std::string> saved_modules;  // modules_to_save: endings of names
  ValuesByPattern<int64_t> ranks;
  ValuesByPattern<double> alphas;

  // Whether PEFT would give this layer an adapter.
  bool Targets(const std::string& module) const;
  int64_t RankOf(const std::string& module) const;
  double ScaleOf(const std::string& module) const;
  // Whether a tensor, by its full name, belongs to one of saved_modules.
  bool SavesWhole(const std::string& tensor) const;
};

// NotFound; InvalidArgument names every setting that is missing, wrong, or beyond LoRA on linear layers.
// Settings that only steered the training are allowed, unknown ones as long as they are off.
absl::StatusOr<AdapterSettings> ReadAdapterSettings(const std::string& path);

}  // namespace lvrpo
