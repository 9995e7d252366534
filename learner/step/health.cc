#include "learner/step/health.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/bagel.h"

namespace lvrpo {
namespace {

constexpr float kSame = .9f;

// Pairs of samples of `group` and of an `earlier` one, or of `group` and its earlier samples.
void Compare(const std::vector<torch::Tensor>& noise, size_t group, size_t earlier,
             std::vector<bool>& is_repeated, RepeatedNoise& found) {
  torch::Tensor same = noise[group].matmul(noise[earlier].t()).gt(kSame);
  if (group == earlier) same = same.tril(-1);
  if (!same.any().item<bool>()) return;
  const int64_t count = noise[group].size(0);
  for (int64_t slot = 0; slot < count; ++slot) {
    if (is_repeated[static_cast<size_t>(slot)]) continue;
    for (int64_t other = 0; other < noise[earlier].size(0); ++other) {
      if (!same[slot][other].item<bool>()) continue;
      is_repeated[static_cast<size_t>(slot)] = true;
      if (!found.example.has_value())
        found.example = {.group = group, .other_group = earlier, .slot = slot, .other_slot = other};
      break;
    }
  }
}

}  // namespace

std::string PartOf(const std::string& parameter) {
  const std::vector<std::string> words = absl::StrSplit(parameter, '.');
  if (words[0] == "layers" && words.size() > 2) return words[2];  // a shard's unit: "layers.3.gen.image"
  if (!Bagel::LayerOf(parameter).has_value()) return "rest";
  if (absl::StrContains(parameter, ".mlp.experts.") || absl::StrContains(parameter, ".mlp.gate."))
    return "pool";
  return absl::StrContains(parameter, "_moe_gen") ? "gen" : "und";
}

std::string NameNonFinite(const TensorMap& tensors) {
  const torch::NoGradGuard no_grad;
  std::string first;
  int more = -1;
  for (const auto& [name, tensor] : tensors) {
    if (std::isfinite(tensor.sum(torch::kFloat64).item<double>())) continue;
    if (first.empty()) first = name;
    ++more;
  }
  return more > 0 ? absl::StrCat(first, " and ", more, " more") : first;
}

double EffectiveShare(double mean, double mean_of_squares) {
  return mean_of_squares > 0 ? mean * mean / mean_of_squares : 1;
}

RepeatedNoise FindRepeatedNoise(const std::vector<torch::Tensor>& noise) {
  const torch::NoGradGuard no_grad;
  RepeatedNoise found;
  std::vector<torch::Tensor> unit;
  for (const torch::Tensor& group : noise) unit.push_back(group / group.norm(2, 1, /*keepdim=*/true));
  for (size_t group = 0; group < unit.size(); ++group) {
    std::vector<bool> is_repeated(static_cast<size_t>(unit[group].size(0)));
    for (size_t earlier = 0; earlier <= group; ++earlier) {
      if (unit[earlier].size(1) == unit[group].size(1)) Compare(unit, group, earlier, is_repeated, found);
    }
    for (const bool repeated : is_repeated) found.repeated += repeated ? 1 : 0;
    found.samples += unit[group].size(0);
  }
  return found;
}

}  // namespace lvrpo
