#include "model/expert_seed.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/random.h"
#include "model/bagel.h"

namespace lvrpo {
namespace {

constexpr char kExperts[] = ".mlp.experts.";
constexpr char kGate[] = ".mlp.gate.weight";
constexpr char kBias[] = ".mlp.gate.modality_bias";
// The gate's logits are about 0.1 (inputs are normalised), the two biases far apart.
constexpr double kGateDeviation = 0.1, kBiasSize = 5;

torch::Tensor GateSeed(const std::string& name, const std::vector<int64_t>& shape, uint64_t seed) {
  if (absl::EndsWith(name, kBias)) {
    const int64_t experts = shape[1];
    torch::Tensor bias = torch::full(shape, -kBiasSize);
    bias[0].narrow(0, 0, experts / 2).fill_(kBiasSize);
    bias[1].narrow(0, experts / 2, experts / 2).fill_(kBiasSize);
    return bias;
  }
  torch::Generator generator =
      torch::make_generator<torch::CPUGeneratorImpl>(StreamSeed(seed, StableHash64(name)));
  return torch::randn(shape, generator) * (kGateDeviation / std::sqrt(static_cast<double>(shape[1])));
}

bool IsGate(const std::string& name) { return absl::EndsWith(name, kGate) || absl::EndsWith(name, kBias); }

}  // namespace

std::string SeedOfExpert(const std::string& tensor, const RouterConfig& router) {
  const size_t at = tensor.find(kExperts);
  if (at == std::string::npos) return "";
  const size_t number = at + sizeof(kExperts) - 1, dot = tensor.find('.', number);
  int64_t expert = 0;
  if (dot == std::string::npos || !absl::SimpleAtoi(tensor.substr(number, dot - number), &expert)) return "";
  const char* half = expert < router.experts / 2 ? ".mlp" : ".mlp_moe_gen";
  return absl::StrCat(tensor.substr(0, at), half, tensor.substr(dot));
}

std::vector<TensorSource> GateSeeds(const BagelConfig& config, torch::Dtype dtype, uint64_t seed) {
  std::vector<TensorSource> sources;
  for (const auto& [name, shape] : Bagel::ExpectedTensors(config)) {
    if (IsGate(name)) sources.push_back(SourceOf(name, GateSeed(name, shape, seed), dtype));
  }
  return sources;
}

TensorMap SeedExperts(const BagelConfig& config, TensorMap hard, uint64_t seed) {
  const torch::NoGradGuard no_grad;
  TensorMap tensors;
  for (const auto& [name, shape] : Bagel::ExpectedTensors(config)) {
    if (IsGate(name)) {
      tensors[name] = GateSeed(name, shape, seed);
    } else if (const std::string from = SeedOfExpert(name, config.router); !from.empty()) {
      tensors[name] = hard.at(from).clone();
    } else {
      tensors[name] = hard.at(name);
    }
  }
  return tensors;
}

}  // namespace lvrpo
