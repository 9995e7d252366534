#include "model/qwen2.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/weights/load_folder.h"
#include "model/weights/random_init.h"

namespace lvrpo {
namespace {

constexpr char kEmbeddings[] = "model.embed_tokens.weight";
constexpr char kHead[] = "lm_head.weight";

std::string LayerPrefix(int64_t layer) { return absl::StrCat("model.layers.", layer, "."); }

// The mask of new tokens over keys (past, then new): bool [B or 1, T, L + T], or undefined without one. A
// padding token attends to itself, so that its softmax is defined.
torch::Tensor CausalMask(const KvCache& past, const torch::Tensor& real, int64_t batch, int64_t tokens,
                         torch::Device device) {
  const torch::TensorOptions flags = torch::TensorOptions(torch::kBool).device(device);
  const bool padded = past.valid.defined() || real.defined();
  if (tokens == 1 && !padded) return {};
  const torch::Tensor own = torch::ones({tokens, tokens}, flags).tril();
  torch::Tensor mask = torch::cat({torch::ones({tokens, past.length()}, flags), own}, 1).unsqueeze(0);
  if (!padded) return mask;
  const auto or_all = [&](const torch::Tensor& which, int64_t length) {
    return which.defined() ? which.expand({batch, length}) : torch::ones({batch, length}, flags);
  };
  const torch::Tensor valid = torch::cat({or_all(past.valid, past.length()), or_all(real, tokens)}, 1);
  const torch::Tensor self =
      torch::cat({torch::zeros({tokens, past.length()}, flags), torch::eye(tokens, flags)}, 1);
  return mask.logical_and(valid.unsqueeze(1)).logical_or(self);
}

}  // namespace

ShapeMap Qwen2::ExpectedTensors(const Qwen2Config& c) {
  const int64_t kv = c.kv_heads * c.head_dim();
  ShapeMap shapes;
  shapes[kEmbeddings] = {c.vocabulary, c.hidden};
  if (!c.tied) shapes[kHead] = {c.vocabulary, c.hidden};
  shapes["model.norm.weight"] = {c.hidden};
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string prefix = LayerPrefix(layer);
    shapes[prefix + "input_layernorm.weight"] = {c.hidden};
    shapes[prefix + "post_attention_layernorm.weight"] = {c.hidden};
    for (const auto& [name, out] : {std::pair{"q_proj", c.hidden}, {"k_proj", kv}, {"v_proj", kv}}) {
      shapes[prefix + "self_attn." + name + ".weight"] = {out, c.hidden};
      shapes[prefix + "self_attn." + name + ".bias"] = {out};
    }
    shapes[prefix + "self_attn.o_proj.weight"] = {c.hidden, c.hidden};
    shapes[prefix + "mlp.gate_proj.weight"] = {c.mlp, c.hidden};
    shapes[prefix + "mlp.up_proj.weight"] = {c.mlp, c.hidden};
    shapes[prefix + "mlp.down_proj.weight"] = {c.hidden, c.mlp};
  }
  return shapes;
}

TensorMap Qwen2::RandomInit(const Qwen2Config& config, uint64_t seed) {
  return InitByFanIn(ExpectedTensors(config), seed);
}

Qwen2::Qwen2(Qwen2Config config, TensorMap tensors)
    : config_(std::move(config)),
      tensors_(std::move(tensors)),
      decoder_({.layers = config_.layers,
                .hidden = config_.hidden,
                .mlp = config_.mlp,
                .heads = config_.heads,
                .kv_heads = config_.kv_heads,
                .rms_eps = config_.rms_eps,
                .rope_theta = config_.rope_theta,
                .rotary_in_fp32 = false},
               tensors_, "", ""),
      head_({{tensors_.at(config_.tied ? kEmbeddings : kHead), {}}}) {}

absl::StatusOr<Qwen2> Qwen2::Create(Qwen2Config config, TensorMap tensors, const std::string& source) {
  if (const std::string problem = config.SizeProblem(); !problem.empty())
    return absl::InvalidArgumentError(absl::StrCat(source, ": ", problem));
  if (absl::Status status = CheckWeights(ExpectedTensors(config), tensors, source); !status.ok())
    return status;
  return Qwen2(std::move(config), std::move(tensors));
}

absl::StatusOr<Qwen2> Qwen2::Load(const std::string& folder, const WeightReadOptions& options) {
  // The constant rotary buffers, and the head although it is the embedding table.
  return LoadFolder<Qwen2, Qwen2Config>(
      folder, options, [](const Qwen2Config& config, StoredWeights& weights) {
        weights.Drop([&](const std::string& name) {
          return absl::EndsWith(name, ".rotary_emb.inv_freq") || (config.tied && name == kHead);
        });
      });
}

torch::Tensor Qwen2::Append(KvCache& cache, const torch::Tensor& ids, const torch::Tensor& real) const {
  const int64_t batch = std::max(ids.size(0), cache.batch()), tokens = ids.size(1);
  const torch::Device device = tensors_.at(kEmbeddings).device();
  const torch::TensorOptions numbers = torch::TensorOptions(torch::kInt64).device(device);
  const torch::Tensor flags = real.defined() ? real.to(device, torch::kBool).expand({batch, tokens}) : real;
  const torch::Tensor start =
      cache.next_position.defined() ? cache.next_position.expand({batch}) : torch::zeros({batch}, numbers);
  const torch::Tensor counted = flags.defined()
                                    ? flags.to(torch::kInt64).cumsum(1)
                                    : torch::arange(1, tokens + 1, numbers).expand({batch, tokens});
  const torch::Tensor positions = start.unsqueeze(1) + (counted - 1).clamp_min(0);

  const torch::Tensor x = torch::embedding(tensors_.at(kEmbeddings), ids.to(device).expand({batch, tokens}));
  const Decoder::Segment segment = {&cache, batch, CausalMask(cache, flags, batch, tokens, device)};
  KvCache grown;
  const torch::Tensor hidden = decoder_.Run({.und = x, .gen = {}}, positions, {&segment, 1}, &grown).und;
  grown.next_position = start + counted.select(1, tokens - 1);
  if (cache.valid.defined() || flags.defined()) {
    const auto or_all = [&](const torch::Tensor& which, int64_t length) {
      return which.defined() ? which.expand({batch, length})
                             : torch::ones({batch, length}, numbers.dtype(torch::kBool));
    };
    grown.valid = torch::cat({or_all(cache.valid, cache.length()), or_all(flags, tokens)}, 1);
  }
  cache = std::move(grown);
  return hidden;
}

torch::Tensor Qwen2::Logits(const torch::Tensor& hidden) const { return head_(hidden).to(torch::kFloat32); }

torch::Tensor Qwen2::DecodeTokens(KvTable& table, const torch::Tensor& ids) const {
  return decoder_.Step(table,
                       torch::embedding(tensors_.at(kEmbeddings), ids.to(tensors_.at(kEmbeddings).device())));
}

KvTable Qwen2::MakeKvTable(int64_t slots, int64_t capacity) const {
  return KvTable(decoder_.kv_shape(), slots, capacity, tensors_.at(kEmbeddings).options());
}

int64_t Qwen2::SlotBytes(int64_t capacity) const {
  return KvTable::Bytes(decoder_.kv_shape(), 1, capacity, tensors_.at(kEmbeddings).scalar_type());
}

}  // namespace lvrpo
