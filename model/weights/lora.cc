#include "model/weights/lora.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/hash.h"
#include "common/random.h"

namespace lvrpo {
namespace {

// "a.b.weight" -> "a.b"; a name without a dot is its own module.
std::string ModuleOf(const std::string& name) { return name.substr(0, name.rfind('.')); }

std::string LastPart(const std::string& module) { return module.substr(module.rfind('.') + 1); }

// Empty when the module is a linear layer, otherwise what it is instead. Only the name tells an embedding
// table from a linear layer without bias.
std::string WhyNotLinear(const ShapeMap& base, const std::string& module) {
  const auto weight = base.find(module + ".weight");
  if (weight == base.end()) return "has no .weight";
  const std::vector<int64_t>& shape = weight->second;
  if (shape.size() != 2) return absl::StrCat("has a weight of shape [", absl::StrJoin(shape, ","), "]");
  if (!base.contains(module + ".bias") && absl::StrContains(LastPart(module), "embed"))
    return "is a table of embeddings";
  return "";
}

absl::Status Refuse(const std::vector<std::string>& problems) {
  if (problems.empty()) return absl::OkStatus();
  const size_t shown = std::min<size_t>(10, problems.size());
  return absl::InvalidArgumentError(
      absl::StrCat("cannot add LoRA: ", absl::StrJoin(problems.begin(), problems.begin() + shown, "; "),
                   problems.size() > shown ? absl::StrCat("; and ", problems.size() - shown, " more") : ""));
}

// Patterns that are empty or match nothing in this model: most likely misspelt.
void CheckPatterns(const std::set<std::string>& modules, const std::vector<std::string>& patterns,
                   std::vector<std::string>& problems) {
  bool selects = false;
  for (const std::string& pattern : patterns) {
    const bool excludes = absl::StartsWith(pattern, "!");
    const std::string text = pattern.substr(excludes ? 1 : 0);
    selects = selects || !excludes;
    if (text.empty()) {
      problems.push_back(absl::StrCat("the pattern '", pattern, "' is empty"));
      continue;
    }
    bool matches = false;
    for (const std::string& module : modules) {
      matches =
          matches || (absl::StrContains(module, text) && (excludes || MatchesPatterns(module, patterns)));
    }
    if (!matches) problems.push_back(absl::StrCat("no layer matches the pattern '", pattern, "'"));
  }
  if (!selects) problems.push_back("no pattern says which layers");
}

// The expected shapes of the adapters among `tensors` whose layer the model has.
ShapeMap ExpectedAdapters(const TensorMap& tensors, const ShapeMap& base, int64_t rank) {
  ShapeMap expected;
  for (const auto& [name, tensor] : tensors) {
    const std::string module = name.substr(0, name.find(".lora_"));
    if (module == name || !WhyNotLinear(base, module).empty()) continue;
    const std::vector<int64_t>& weight = base.at(module + ".weight");
    expected[module + kLoraA] = {rank, weight[1]};
    expected[module + kLoraB] = {weight[0], rank};
  }
  return expected;
}

torch::Tensor UniformTensor(const std::vector<int64_t>& shape, double bound, uint64_t seed) {
  const torch::Tensor tensor = torch::empty(shape);
  Random random(seed);
  float* const values = tensor.data_ptr<float>();
  for (int64_t i = 0; i < tensor.numel(); ++i) values[i] = static_cast<float>(random.Uniform(-bound, bound));
  return tensor;
}

TensorMap Select(const TensorMap& tensors, bool lora) {
  TensorMap selected;
  for (const auto& [name, tensor] : tensors) {
    if (IsLoraName(name) == lora) selected[name] = tensor;
  }
  return selected;
}

}  // namespace

double LoraScale(const LoraConfig& config) {
  const double rank = static_cast<double>(config.rank);
  return config.alpha / (config.rslora ? std::sqrt(rank) : rank);
}

bool IsLoraName(const std::string& name) { return absl::StrContains(name, ".lora_"); }

bool IsLinearWeight(const ShapeMap& base, const std::string& name) {
  return absl::EndsWith(name, ".weight") && WhyNotLinear(base, ModuleOf(name)).empty();
}

ShapeMap ShapesOf(const TensorMap& tensors) {
  ShapeMap shapes;
  for (const auto& [name, tensor] : tensors) shapes[name] = tensor.sizes().vec();
  return shapes;
}

absl::StatusOr<ShapeMap> LoraShapes(const ShapeMap& base, const LoraConfig& config) {
  std::set<std::string> modules;
  for (const auto& [name, shape] : base) {
    if (IsLoraName(name))
      return absl::AlreadyExistsError(absl::StrCat("cannot add LoRA: there already is ", name));
    modules.insert(ModuleOf(name));
  }
  std::vector<std::string> problems;
  if (config.rank < 1) problems.push_back(absl::StrCat("rank ", config.rank, " is below 1"));
  if (!(config.alpha > 0) || !std::isfinite(config.alpha))
    problems.push_back(absl::StrCat("alpha ", config.alpha, " is not a number above 0"));
  CheckPatterns(modules, config.modules, problems);

  ShapeMap shapes;
  for (const std::string& module : modules) {
    if (!MatchesPatterns(module, config.modules)) continue;
    if (const std::string why = WhyNotLinear(base, module); !why.empty()) {
      problems.push_back(absl::StrCat(module, " is matched but is no linear layer: it ", why));
      continue;
    }
    const std::vector<int64_t>& weight = base.at(module + ".weight");
    if (config.rank > std::min(weight[0], weight[1])) {
      problems.push_back(absl::StrCat("rank ", config.rank, " is above the smaller side of ", module, " [",
                                      absl::StrJoin(weight, ","), "]"));
    }
    shapes[module + kLoraA] = {config.rank, weight[1]};
    shapes[module + kLoraB] = {weight[0], config.rank};
  }
  if (absl::Status status = Refuse(problems); !status.ok()) return status;
  return shapes;
}

absl::Status AddLora(TensorMap& tensors, const LoraConfig& config, uint64_t seed) {
  const absl::StatusOr<ShapeMap> shapes = LoraShapes(ShapesOf(tensors), config);
  if (!shapes.ok()) return shapes.status();
  std::vector<std::string> problems;
  TensorMap added;
  for (const auto& [name, shape] : *shapes) {
    const std::string weight_name = absl::StrCat(name.substr(0, name.find(".lora_")), ".weight");
    const torch::Tensor& weight = tensors.at(weight_name);
    const bool is_a = absl::EndsWith(name, kLoraA);
    if (!weight.is_floating_point()) {
      if (is_a) problems.push_back(absl::StrCat(weight_name, " holds no floating-point numbers"));
      continue;
    }
    const double bound = 1 / std::sqrt(static_cast<double>(weight.size(1)));
    const torch::Tensor tensor = is_a ? UniformTensor(shape, bound, StreamSeed(seed, StableHash64(name)))
                                      : torch::zeros(shape, torch::kFloat32);
    added[name] = tensor.to(weight.device());
  }
  if (absl::Status status = Refuse(problems); !status.ok()) return status;
  tensors.merge(added);
  return absl::OkStatus();
}

TensorMap ExtractLora(const TensorMap& tensors) { return Select(tensors, true); }

TensorMap WithoutLora(const TensorMap& tensors) { return Select(tensors, false); }

absl::Status CheckLora(const TensorMap& tensors, const ShapeMap& base, const LoraConfig& config,
                       const std::string& source) {
  const TensorMap adapters = ExtractLora(tensors);
  if (adapters.empty()) return absl::DataLossError(absl::StrCat(source, " holds no LoRA adapter"));
  return CheckWeights(ExpectedAdapters(adapters, base, config.rank), adapters, source);
}

torch::Tensor WithLora(const torch::Tensor& y, const torch::Tensor& x, const torch::Tensor& a,
                       const torch::Tensor& b, double scale) {
  if (!a.defined()) return y;
  const torch::Tensor change = torch::linear(torch::linear(x.to(a.scalar_type()), a), b);
  return torch::add(y, change, scale).to(y.scalar_type());
}

}  // namespace lvrpo
