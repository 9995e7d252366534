#include "algorithm/text_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lvrpo {
namespace {

// The ids that top_k and top_p leave, in no order. The likeliest token always stays; equal scores are taken
// by lower id.
std::vector<int32_t> Candidates(std::span<const float> scores, int top_k, double top_p) {
  std::vector<int32_t> ids(scores.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto before = [&](int32_t a, int32_t b) {
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
  };
  if (top_k > 0 && static_cast<size_t>(top_k) < ids.size()) {
    std::nth_element(ids.begin(), ids.begin() + top_k, ids.end(), before);
    ids.resize(static_cast<size_t>(top_k));
  }
  if (top_p >= 1) return ids;
  // The likeliest leave a heap one by one until they hold enough probability.
  const auto after = [&](int32_t a, int32_t b) { return before(b, a); };
  const double largest = scores[*std::min_element(ids.begin(), ids.end(), before)];
  const auto mass = [&](int32_t id) { return std::exp(scores[id] - largest); };
  double total = 0, sum = 0;
  for (const int32_t id : ids) total += mass(id);
  std::make_heap(ids.begin(), ids.end(), after);
  auto rest = ids.end();
  while (rest != ids.begin()) {
    std::pop_heap(ids.begin(), rest, after);
    sum += mass(*--rest);
    if (sum >= top_p * total) break;
  }
  ids.erase(ids.begin(), rest);
  return ids;
}

double Gumbel(uint32_t word) { return -std::log(-std::log((static_cast<double>(word) + 0.5) * 0x1.0p-32)); }

}  // namespace

int32_t ChooseToken(std::span<const float> scores, const PhiloxStream& stream,
                    const TextSampleOptions& options) {
  if (options.temperature == 0) {
    return static_cast<int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  }
  int32_t best = 0;
  double best_score = -std::numeric_limits<double>::infinity();
  const auto offer = [&](int32_t id, uint32_t word) {
    const double score = scores[id] + Gumbel(word);
    if (score > best_score) best = id, best_score = score;
  };
  if (options.top_k > 0 || options.top_p < 1) {
    for (const int32_t id : Candidates(scores, options.top_k, options.top_p))
      offer(id, PhiloxWord(stream, static_cast<uint32_t>(id)));
  } else {
    const std::vector<uint32_t> words = PhiloxWords(stream, static_cast<int64_t>(scores.size()));
    for (size_t id = 0; id < scores.size(); ++id) offer(static_cast<int32_t>(id), words[id]);
  }
  return best;
}

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
      const int32_t chosen = ChooseToken({row, row + logits.size(1)}, stream, options);
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
