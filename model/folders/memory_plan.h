#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/bagel_config.h"

namespace lvrpo {

// What the roles of a run need in memory, by arithmetic on shapes: nothing is allocated. Bytes of tensors are
// exact; activations are estimates whose formulas are given, without allocator slack and without LibTorch's
// own 0.3 GB or so.
struct MemoryOptions {
  torch::Dtype dtype = torch::kBFloat16;  // weights, caches and activations; the autoencoder is fp32
  int64_t image_size = 0;  // pixels per side; 0: 1024, or less when the position table is smaller
  int64_t guidance_branches =
      2;                   // velocity calls a denoising step: 1 none, 2 text, 3 text and image guidance
  int64_t group_size = 8;  // samples of one group, denoised in one batch
  int64_t context_tokens = 1024;  // prompt and answer of one sample
  // Name patterns of the trained tensors (MatchesPatterns in model/weights/weights.h).
  std::vector<std::string> trainable = {"_moe_gen"};
  // 0: those tensors themselves are trained. Otherwise adapters of this rank on those that are linear layers.
  int64_t lora_rank = 0;
};

// Where something lies. Without a GPU all memory is the host's.
enum class MemoryPlace { kHost, kDevice };

struct MemoryLine {
  std::string what;
  int64_t bytes = 0;
  std::string how;  // the formula, in words and numbers
  MemoryPlace place = MemoryPlace::kHost;
};

struct RoleMemory {
  std::string role;
  std::vector<MemoryLine> lines;
  int64_t total() const;
  int64_t total(MemoryPlace place) const;
};

struct MemoryPlan {
  MemoryOptions options;     // image_size filled in
  int64_t image_tokens = 0;  // latent tokens of one image
  int64_t trained_parameters = 0;
  std::vector<MemoryLine> units;  // KV cache per 1000 tokens and per sample, activations of one call, ...
  std::vector<RoleMemory> roles;  // rollout worker, learner, reward server
};

// Bytes alive at the peak of a forward pass without gradients, per token of the batch: in a layer's MLP the
// residual and attention streams, queries, keys and values with their rotated copies, and the MLP's four
// intermediates.
int64_t ForwardBytesPerToken(const BagelConfig& config, torch::Dtype dtype);

// Bytes of FusedLinear's prepacked copies of fp32 weights, one direction of all linear layers among them.
int64_t OrderedCopyBytes(const ShapeMap& shapes);

// InvalidArgument names the option that is out of range, an image size that the model's position table or
// patches do not allow, or patterns that match nothing.
absl::StatusOr<MemoryPlan> PlanMemory(const BagelConfig& config, MemoryOptions options);

}  // namespace lvrpo
