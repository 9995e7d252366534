#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "algorithm/text_sampler.h"
#include "model/layers/decoder.h"

namespace lvrpo {

struct TextRequest {
  KvCache context;      // of batch 1, computed once and shared by the samples
  int64_t start;        // the token after the context: BAGEL's bos, or another model's last prompt token
  int64_t samples = 1;  // slots 0 .. samples - 1 of the group
  uint32_t group = 0;   // with the seed, slot and token index: the key of the Gumbel noise
  TextSampleOptions options;
  // Ends a sample early, e.g. at a stop string; sees its tokens so far, the newest last. May be empty.
  std::function<bool(std::span<const int32_t>)> stop;
};

struct TextSamples {
  std::vector<std::vector<int32_t>> ids;      // per sample; ends with eos unless cut at max_tokens or stopped
  std::vector<std::vector<float>> log_probs;  // one a token: of softmax(logits / temperature) over the whole
                                              // vocabulary, whatever top_k and top_p left out (greedy:
                                              // temperature 1)
};

struct TextEngineLimits {
  int64_t slots = 64;                   // sequences decoded at once, at most
  int64_t kv_bytes = int64_t{4} << 30;  // of keys and values; fewer slots are used where they don't fit
};

// Decodes many requests together, by continuous batching: each sample has a slot of a table
// (model/layers/kv_table.h), which the next one gets when it ends. A sample's tokens are a function of (seed,
// group, slot, context, weights), whatever else is in the batch; logits differ between batch shapes in their
// last bits only (relative 1e-5 in fp32), so a token can differ only where two candidates are closer than
// that.
//
// Element i answers requests[i]. ResourceExhausted when a single sequence does not fit kv_bytes;
// `progress`, when given, gets the number of tokens so far after each decode step. No gradients.
absl::StatusOr<std::vector<TextSamples>> GenerateTexts(
    const TextDecoder& model, std::span<const TextRequest> requests, uint64_t seed,
    const TextEngineLimits& limits = {}, const std::function<void(int64_t tokens)>& progress = {});

// The same for one request.
absl::StatusOr<TextSamples> GenerateText(const TextDecoder& model, const TextRequest& request, uint64_t seed,
                                         const TextEngineLimits& limits = {});

}  // namespace lvrpo
