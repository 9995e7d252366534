#include "model/folders/memory_plan.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "model/autoencoder.h"
#include "model/bagel.h"
#include "model/kernels/fused_linear.h"
#include "model/weights/lora.h"
#include "model/weights/tensor_dtypes.h"

namespace lvrpo {
namespace {

constexpr int64_t kFp32 = 4;

// The product, saturated so that sums of a few do not overflow.
int64_t Product(std::initializer_list<int64_t> factors) {
  constexpr int64_t kMost = INT64_MAX / 64;
  int64_t product = 1;
  for (const int64_t factor : factors) {
    if (__builtin_mul_overflow(product, factor, &product) || product > kMost) return kMost;
  }
  return product;
}

int64_t Elements(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t dimension : shape) count *= dimension;
  return count;
}

int64_t Parameters(const ShapeMap& shapes) {
  int64_t count = 0;
  for (const auto& [name, shape] : shapes) count += Elements(shape);
  return count;
}

absl::Status CheckOptions(const BagelConfig& c, MemoryOptions& o) {
  const auto bad = [](const auto&... words) { return absl::InvalidArgumentError(absl::StrCat(words...)); };
  const int64_t token_pixels = c.latent_patch * c.autoencoder.downsample();
  const int64_t largest = c.max_latent_side * token_pixels;
  if (o.image_size == 0)
    o.image_size = std::min(std::max<int64_t>(1024 / token_pixels, 1) * token_pixels, largest);
  if (o.image_size < token_pixels || o.image_size > largest || o.image_size % token_pixels != 0) {
    return bad("an image size of ", o.image_size, " pixels does not fit the model: want a multiple of ",
               token_pixels, " up to ", largest);
  }
  if (o.guidance_branches < 1 || o.guidance_branches > 3)
    return bad("guidance branches: ", o.guidance_branches, ", want 1 to 3");
  if (o.group_size < 1 || o.group_size > 4096) return bad("group size: ", o.group_size, ", want 1 to 4096");
  if (o.context_tokens < 1 || o.context_tokens > (1 << 20))
    return bad("context tokens: ", o.context_tokens, ", want 1 to 1048576");
  if (o.lora_rank < 0 || o.lora_rank > c.hidden)
    return bad("LoRA rank: ", o.lora_rank, ", want 0 to ", c.hidden);
  return absl::OkStatus();
}

// Parameters that get gradients.
int64_t TrainedParameters(const ShapeMap& shapes, const MemoryOptions& options) {
  int64_t count = 0;
  for (const auto& [name, shape] : shapes) {
    if (!MatchesPatterns(name, options.trainable)) continue;
    if (options.lora_rank == 0) {
      count += Elements(shape);
    } else if (IsLinearWeight(shapes, name)) {
      count += options.lora_rank * (shape[0] + shape[1]);
    }
  }
  return count;
}

}  // namespace

int64_t RoleMemory::total() const { return total(MemoryPlace::kHost) + total(MemoryPlace::kDevice); }

int64_t RoleMemory::total(MemoryPlace place) const {
  int64_t sum = 0;
  for (const MemoryLine& line : lines) sum += line.place == place ? line.bytes : 0;
  return sum;
}

// Layers with a common input are one there: q, k and v; gate and up.
int64_t OrderedCopyBytes(const ShapeMap& shapes) {
  std::map<std::string, int64_t> fused;
  for (const auto& [name, shape] : shapes) {
    if (!IsLinearWeight(shapes, name)) continue;
    const std::string layer = absl::StrReplaceAll(
        name, {{".k_proj", ".q_proj"}, {".v_proj", ".q_proj"}, {".up_proj", ".gate_proj"}});
    fused[layer] += Product({Elements(shape), kFp32});
  }
  int64_t bytes = 0;
  for (const auto& [layer, own] : fused) {
    if (own <= FusedLinear::kMostWeightBytes) bytes += own;
  }
  return bytes;
}

int64_t ForwardBytesPerToken(const BagelConfig& c, torch::Dtype dtype) {
  const int64_t q = c.hidden, kv = c.kv_heads * c.head_dim();
  const int64_t mlp = c.mlp * (c.router.top_k ? c.router.experts_per_token : 1);
  return (5 * c.hidden + 2 * q + 4 * kv + 4 * mlp) * static_cast<int64_t>(torch::elementSize(dtype));
}

absl::StatusOr<MemoryPlan> PlanMemory(const BagelConfig& c, MemoryOptions options) {
  if (absl::Status status = CheckOptions(c, options); !status.ok()) return status;
  const ShapeMap shapes = Bagel::ExpectedTensors(c);
  MemoryPlan plan;
  plan.options = options;
  const int64_t width = static_cast<int64_t>(torch::elementSize(options.dtype));
  const std::string dtype = SafetensorsDtype(options.dtype);
  const int64_t group = options.group_size;
  const int64_t side = options.image_size / (c.latent_patch * c.autoencoder.downsample());
  plan.image_tokens = side * side;
  plan.trained_parameters = TrainedParameters(shapes, options);
  if (plan.trained_parameters == 0) {
    return absl::InvalidArgumentError(absl::StrCat("the patterns [", absl::StrJoin(options.trainable, ", "),
                                                   "] match no tensor that could be trained"));
  }

  const int64_t q = c.hidden, kv = c.kv_heads * c.head_dim();
  const int64_t kv_token = 2 * c.layers * kv * width;
  const int64_t call_tokens = group * options.guidance_branches * (plan.image_tokens + 2);
  const int64_t forward_token = ForwardBytesPerToken(c, options.dtype);
  // Kept by autograd in every layer: inputs of norms, projections, attention and MLP.
  const int64_t backward_token = Product({c.layers, 8 * c.hidden + 6 * q + 6 * kv + 4 * c.mlp, width});
  // The decoder's widest level at full resolution: a norm's input, its output and its activation.
  const int64_t widest = c.autoencoder.ch * c.autoencoder.ch_mult[c.autoencoder.ch_mult.size() > 1 ? 1 : 0];
  const int64_t decode = Product({3, widest, options.image_size, options.image_size, kFp32});

  const MemoryLine kv_sample = {
      "KV cache of a sample", Product({options.context_tokens, kv_token}),
      absl::StrCat(options.context_tokens, " context tokens x 2 x ", c.layers, " layers x ", c.kv_heads,
                   " heads x ", c.head_dim(), " x ", width, " bytes")};
  const MemoryLine call = {
      "activations of a denoising call", Product({call_tokens, forward_token}),
      absl::StrCat("estimate: ", group, " samples x ", options.guidance_branches, " guidance branches x ",
                   plan.image_tokens + 2, " tokens x (5 hidden + 2 q + 4 kv + 4 mlp) x ", width, " bytes")};
  plan.units = {
      {"KV cache of 1000 tokens", Product({1000, kv_token}), "2 x layers x kv heads x head width x bytes"},
      kv_sample,
      call,
      {"autoencoder, one image decoded", decode,
       absl::StrCat("estimate: 3 x ", widest, " channels x ", options.image_size, "^2 x 4 bytes")},
      {"kept for one sample's backward", Product({plan.image_tokens + 2, backward_token}),
       absl::StrCat("estimate, nothing recomputed: ", plan.image_tokens + 2, " tokens x ", c.layers,
                    " layers x (8 hidden + 6 q + 6 kv + 4 mlp) x ", width, " bytes")}};

  const int64_t parameters = Parameters(shapes), trained = plan.trained_parameters;
  const int64_t autoencoder = Parameters(Autoencoder::ExpectedTensors(c.autoencoder));
  const MemoryLine weights = {"weights", Product({parameters, width}),
                              absl::StrCat(parameters, " parameters as ", dtype)};
  const MemoryLine autoencoder_weights = {"autoencoder", Product({autoencoder, kFp32}),
                                          absl::StrCat(autoencoder, " parameters as F32")};
  const std::string trained_words = absl::StrCat(
      trained, options.lora_rank > 0 ? absl::StrCat(" parameters of rank-", options.lora_rank, " adapters")
                                     : " trained parameters");
  const int64_t ordered = options.dtype == torch::kFloat32 ? OrderedCopyBytes(shapes) : 0;
  const auto ordered_copies = [&](int64_t copies) {
    return MemoryLine{"weights in the CPU's order", Product({copies, ordered}),
                      absl::StrCat(copies > 1 ? "both directions, " : "", "of layers up to ",
                                   FusedLinear::kMostWeightBytes >> 20, " MiB, on CPUs with AVX-512")};
  };
  RoleMemory rollout{"rollout worker", {weights, autoencoder_weights}};
  if (ordered > 0) rollout.lines.push_back(ordered_copies(1));
  rollout.lines.push_back({"next version", Product({trained, width}),
                           absl::StrCat(trained_words, ", fetched next to the version in use, as ", dtype)});
  rollout.lines.push_back({"KV caches",
                           Product({std::max(group, options.guidance_branches), kv_sample.bytes}),
                           "one a text sample; a group of images has one a guidance branch"});
  rollout.lines.push_back(call);
  rollout.lines.push_back(
      {"autoencoder, decoding", Product({group, decode}), absl::StrCat(group, " images at once")});

  RoleMemory learner{"learner", {weights}};
  learner.lines[0].how += "; frozen, the reference too";
  if (ordered > 0) learner.lines.push_back(ordered_copies(2));
  if (options.dtype != torch::kFloat32)
    learner.lines.push_back(
        {"trained tensors", Product({trained, width}), absl::StrCat(trained_words, " as ", dtype)});
  learner.lines.push_back(
      {"master weights", Product({trained, kFp32}), absl::StrCat(trained_words, " as F32")});
  learner.lines.push_back({"gradients", Product({trained, kFp32}), absl::StrCat(trained_words, " as F32")});
  learner.lines.push_back(
      {"Adam's two moments", Product({2, trained, kFp32}), absl::StrCat(trained_words, " as F32, twice")});
  learner.lines.push_back(plan.units.back());

  RoleMemory reward{"reward server", {weights}};
  reward.lines[0].how += "; the policy's frozen copy that answers questions about images";
  if (ordered > 0) reward.lines.push_back(ordered_copies(1));
  const int64_t eye_tokens = c.vit_max_side * c.vit_max_side + 2 + options.context_tokens;
  reward.lines.push_back({"KV cache of a question", Product({eye_tokens, kv_token}),
                          absl::StrCat("at most ", eye_tokens, " tokens of image and question")});
  plan.roles = {rollout, learner, reward};
  return plan;
}

}  // namespace lvrpo
