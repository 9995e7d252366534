#include "algorithm/text_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lvrpo {
namespace {

// The ids that top_k and top_p leave, unordered. The likeliest token always stays; ties go to the lower id.
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
  // Pops the likeliest off a heap until they hold enough probability.
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

double Uniform(uint32_t word) { return (static_cast<double>(word) + 0.5) * 0x1.0p-32; }
double Gumbel(uint32_t word) { return -std::log(-std::log(Uniform(word))); }

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
    // -log(u) >= 1 - u, so the noise at u is at most -log(1 - u): where even that and the largest score would
    // not win, the logarithms are not computed. Few candidates are left.
    const double largest = *std::max_element(scores.begin(), scores.end());
    double most = std::numeric_limits<double>::infinity();  // 1 - u of candidates that may still win
    for (size_t id = 0; id < scores.size(); ++id) {
      if (1 - Uniform(words[id]) > most) continue;
      offer(static_cast<int32_t>(id), words[id]);
      most = std::exp(largest - best_score) * (1 + 1e-9);
    }
  }
  return best;
}

}  // namespace lvrpo
