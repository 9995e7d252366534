#include "model/layers/expert_pool.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

thread_local ExpertLoad* current_load = nullptr;

}  // namespace

std::string RouterConfig::Problem() const {
  if (!top_k) return "";
  if (experts < 2 || experts > 256 || experts % 2 != 0)
    return absl::StrCat("router.experts is ", experts, ", want an even number from 2 to 256");
  if (experts_per_token < 1 || experts_per_token > experts / 2) {
    return absl::StrCat("router.experts_per_token is ", experts_per_token, ", want 1 to ", experts / 2,
                        ", half of the experts");
  }
  return "";
}

ExpertPool::ExpertPool(const TensorMap& tensors, const std::string& prefix, const RouterConfig& router,
                       int64_t layer, double lora_scale)
    : gate_(tensors, {prefix + "gate"}, lora_scale),
      modality_bias_(tensors.at(prefix + "gate.modality_bias")),
      per_token_(router.experts_per_token),
      layer_(layer) {
  for (int64_t e = 0; e < router.experts; ++e) {
    const std::string own = absl::StrCat(prefix, "experts.", e, ".");
    experts_.push_back({LinearLayer(tensors, {own + "gate_proj", own + "up_proj"}, lora_scale),
                        LinearLayer(tensors, {own + "down_proj"}, lora_scale)});
  }
}

torch::Tensor ExpertPool::operator()(const torch::Tensor& x, TokenKind kind) const {
  const torch::Tensor rows = x.reshape({-1, x.size(-1)});
  const torch::Tensor bias = modality_bias_.select(0, static_cast<int64_t>(kind));
  const torch::Dtype wide = at::promote_types(torch::kFloat32, bias.scalar_type());
  const auto [scores, chosen] = torch::topk(gate_(rows).to(wide) + bias.to(wide), per_token_);  // [N, k]
  const torch::Tensor shares = torch::softmax(scores, 1);
  std::vector<torch::Tensor> places, parts;
  const torch::Tensor counts = torch::zeros({static_cast<int64_t>(experts_.size())}, torch::kInt64);
  for (size_t e = 0; e < experts_.size(); ++e) {
    const torch::Tensor found = chosen.eq(static_cast<int64_t>(e)).nonzero();  // [n, 2]: row, choice
    counts[static_cast<int64_t>(e)] = found.size(0);
    if (found.size(0) == 0) continue;
    const torch::Tensor row = found.select(1, 0);
    const torch::Tensor share = shares.index({row, found.select(1, 1)}).unsqueeze(1);
    const torch::Tensor y = LinearLayer::Mlp(experts_[e].gate_up, Activation::kSwiGlu, experts_[e].down,
                                             rows.index_select(0, row));
    places.push_back(row);
    parts.push_back(y * share.to(y.scalar_type()));
  }
  if (current_load != nullptr) current_load->Count(layer_, kind, counts);
  return torch::zeros_like(rows).index_add(0, torch::cat(places), torch::cat(parts)).view(x.sizes());
}

void ExpertPool::AddTensors(ShapeMap& shapes, const std::string& prefix, const RouterConfig& router,
                            int64_t hidden, int64_t mlp) {
  shapes[prefix + "gate.weight"] = {router.experts, hidden};
  shapes[prefix + "gate.modality_bias"] = {2, router.experts};
  for (int64_t e = 0; e < router.experts; ++e) {
    const std::string own = absl::StrCat(prefix, "experts.", e, ".");
    shapes[own + "gate_proj.weight"] = {mlp, hidden};
    shapes[own + "up_proj.weight"] = {mlp, hidden};
    shapes[own + "down_proj.weight"] = {hidden, mlp};
  }
}

ExpertLoad::ExpertLoad() : outer_(current_load) { current_load = this; }

ExpertLoad::~ExpertLoad() { current_load = outer_; }

void ExpertLoad::Count(int64_t layer, TokenKind kind, const torch::Tensor& tokens_per_expert) {
  std::vector<torch::Tensor>& layers = counts_[static_cast<size_t>(kind)];
  const auto at = static_cast<size_t>(layer);
  if (layers.size() <= at) layers.resize(at + 1);
  layers[at] = layers[at].defined() ? layers[at] + tokens_per_expert : tokens_per_expert;
}

template <typename Figure>
double ExpertLoad::Mean(TokenKind kind, const Figure& figure) const {
  double sum = 0;
  int64_t layers = 0;
  for (const torch::Tensor& counts : counts_[static_cast<size_t>(kind)]) {
    const double total = counts.defined() ? static_cast<double>(counts.sum().item<int64_t>()) : 0;
    if (total == 0) continue;
    sum += figure(counts.to(torch::kFloat64) / total);
    ++layers;
  }
  return layers == 0 ? 0 : sum / static_cast<double>(layers);
}

std::vector<double> ExpertLoad::Counts(int64_t layers, int64_t experts) const {
  std::vector<double> all(counts_.size() * static_cast<size_t>(layers * experts));
  for (size_t kind = 0; kind < counts_.size(); ++kind) {
    for (size_t layer = 0; layer < counts_[kind].size(); ++layer) {
      const torch::Tensor& counts = counts_[kind][layer];
      const size_t begin = (kind * static_cast<size_t>(layers) + layer) * static_cast<size_t>(experts);
      for (int64_t expert = 0; counts.defined() && expert < experts; ++expert)
        all[begin + static_cast<size_t>(expert)] = static_cast<double>(counts[expert].item<int64_t>());
    }
  }
  return all;
}

void ExpertLoad::SetCounts(const std::vector<double>& counts, int64_t layers, int64_t experts) {
  const torch::Tensor all =
      torch::tensor(counts).to(torch::kInt64).view({static_cast<int64_t>(counts_.size()), layers, experts});
  for (size_t kind = 0; kind < counts_.size(); ++kind) {
    counts_[kind].clear();
    for (int64_t layer = 0; layer < layers; ++layer)
      counts_[kind].push_back(all[static_cast<int64_t>(kind)][layer]);
  }
}

double ExpertLoad::EffectiveExperts(TokenKind kind) const {
  return Mean(kind, [](const torch::Tensor& shares) {
    return torch::special::entr(shares).sum().exp().item<double>();
  });
}

double ExpertLoad::LargestShare(TokenKind kind) const {
  return Mean(kind, [](const torch::Tensor& shares) { return shares.max().item<double>(); });
}

}  // namespace lvrpo
