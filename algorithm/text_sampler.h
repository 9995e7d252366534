#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "algorithm/philox.h"
#include "model/bagel.h"
#include "torch/torch.h"

// Text answers of a group, sampled in parallel from one context.
namespace lvrpo {

struct TextSampleOptions {
  int max_tokens = 64;
  double temperature = 1;  // 0: greedy
  int top_k = 0;           // 0: off
  double top_p = 1;        // 1: off
  int32_t eos = 0;
};

struct TextSamples {
  std::vector<std::vector<int32_t>> ids;      // per sample; ends with eos unless cut at max_tokens
  std::vector<std::vector<float>> log_probs;  // one a token: of softmax(logits / temperature) over the whole
                                              // vocabulary, whatever top_k and top_p left out (greedy:
                                              // temperature 1)
};

// Logits [G, V] after the newest tokens [G] (the first call: bos).
using TextDecoder = std::function<torch::Tensor(const torch::Tensor& ids)>;

// The next token of one sample: argmax(score + Gumbel noise) among the scores (logits / temperature) that
// top_k and top_p leave; temperature 0: the largest. The noise is Philox words at `stream`, whose step is the
// token's index. No sort of the vocabulary.
int32_t ChooseToken(std::span<const float> scores, const PhiloxStream& stream,
                    const TextSampleOptions& options);

// Decoder of `model` that continues its own copy of the context; shares the model's tensors.
TextDecoder BagelDecoder(const Bagel& model, const KvCache& context, int64_t samples);

// The chosen token is argmax(logits / temperature + Gumbel noise) among those that top_k and top_p leave,
// with noise from Philox words (purpose kText) at (run seed, group, slot, token index): samples do not depend
// on one another or on the batch. Samples that ended go through the decoder with eos until all have. No
// gradients.
TextSamples SampleText(const TextDecoder& decoder, int64_t samples, int32_t bos, uint64_t run_seed,
                       uint32_t group, const TextSampleOptions& options);

}  // namespace lvrpo
