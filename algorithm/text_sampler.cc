#include "algorithm/text_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "algorithm/philox.h"

namespace lvrpo {
namespace {

constexpr float kExcluded = -std::numeric_limits<float>::infinity();

// Sets the scores outside of the k largest, and outside of the smallest set of likeliest tokens with
// probability p, to -infinity. The likeliest token always stays; equal scores are taken by lower id.
void Restrict(std::vector<float>& scores, int top_k, double top_p) {
  const int64_t size = static_cast<int64_t>(scores.size());
  if ((top_k <= 0 || top_k >= size) && top_p >= 1) return;
  std::vector<int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return scores[a] > scores[b]; });
  int64_t kept = top_k > 0 ? std::min<int64_t>(top_k, size) : size;
  if (top_p < 1) {
    const double largest = scores[order[0]];
    double total = 0, sum = 0;
    for (int64_t i = 0; i < kept; ++i) total += std::exp(scores[order[i]] - largest);
    for (int64_t i = 0; i < kept; ++i) {
      sum += std::exp(scores[order[i]] - largest);
      if (sum >= top_p * total) kept = i + 1;
    }
  }
  for (int64_t i = kept; i < size; ++i) scores[order[i]] = kExcluded;
}

double Gumbel(uint32_t word) { return -std::log(-std::log((static_cast<double>(word) + 0.5) * 0x1.0p-32)); }

int32_t Choose(std::vector<float> scores, const PhiloxStream& stream, const TextSampleOptions& options) {
  if (options.temperature == 0) {
    return static_cast<int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  }
  Restrict(scores, options.top_k, options.top_p);
  const std::vector<uint32_t> words = PhiloxWords(stream, static_cast<int64_t>(scores.size()));
  int32_t best = 0;
  double best_score = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] == kExcluded) continue;
    const double score = scores[i] + Gumbel(words[i]);
    if (score > best_score) {
      best = static_cast<int32_t>(i);
      best_score = score;
    }
  }
  return best;
}

}  // namespace

TextDecoder BagelDecoder(const Bagel& model, const KvCache& context, int64_t samples) {
  return [model, cache = context.Expand(samples)](const torch::Tensor& ids) mutable {
    return model.Logits(model.AppendTokens(cache, ids.unsqueeze(1)).squeeze(1));
  };
}

TextSamples SampleText(const TextDecoder& decoder, int64_t samples, int32_t bos, uint64_t run_seed,
                       uint32_t group, const TextSampleOptions& options) {
  torch::NoGradGuard no_grad;
  TextSamples result;
  result.ids.resize(samples);
  result.log_probs.resize(samples);
  std::vector<int64_t> newest(samples, bos);
  std::vector<bool> ended(samples, false);
  PhiloxStream stream{.seed = MixSeed(run_seed, Purpose::kText), .group = group};
  for (int token = 0; token < options.max_tokens; ++token) {
    torch::Tensor logits = decoder(torch::tensor(newest, torch::kInt64)).to(torch::kFloat32);
    if (options.temperature != 0) logits = logits / options.temperature;
    logits = logits.cpu().contiguous();
    const torch::Tensor log_probs = logits.log_softmax(-1);
    stream.step = static_cast<uint32_t>(token);
    for (int64_t slot = 0; slot < samples; ++slot) {
      if (ended[slot]) continue;
      const float* row = logits.data_ptr<float>() + slot * logits.size(1);
      stream.slot = static_cast<uint32_t>(slot);
      const int32_t chosen = Choose({row, row + logits.size(1)}, stream, options);
      result.ids[slot].push_back(chosen);
      result.log_probs[slot].push_back(log_probs[slot][chosen].item<float>());
      newest[slot] = chosen;
      ended[slot] = chosen == options.eos;
    }
    if (std::find(ended.begin(), ended.end(), false) == ended.end()) break;
  }
  return result;
}

}  // namespace lvrpo
