// Contexts, images and text of Bagel: everything that runs against a KvCache.

#include <algorithm>

#include "model/bagel.h"

namespace lvrpo {
namespace {

// bool [B, 1, L], or undefined when all of the cache counts.
torch::Tensor ValidRow(const KvCache& cache, int64_t batch) {
  if (!cache.valid.defined()) return {};
  return cache.valid.expand({batch, -1}).unsqueeze(1);
}

torch::Tensor NextPosition(const KvCache& cache, int64_t batch) {
  if (!cache.next_position.defined()) return torch::zeros({batch}, torch::kInt64);
  return cache.next_position.expand({batch});
}

// Which keys (cache, then own segment) the queries of a segment see.
torch::Tensor SegmentMask(const KvCache& cache, int64_t batch, int64_t tokens, bool causal) {
  const torch::Tensor valid = ValidRow(cache, batch);
  if (!causal && !valid.defined()) return {};
  const torch::Tensor past = valid.defined() ? valid.expand({batch, tokens, cache.length()})
                                             : torch::ones({1, tokens, cache.length()}, torch::kBool);
  torch::Tensor own = torch::ones({tokens, tokens}, torch::kBool);
  if (causal) own = own.tril();
  return torch::cat({past, own.unsqueeze(0).expand({past.size(0), tokens, tokens})}, 2);
}

void Extend(KvCache& cache, KvCache grown, int64_t batch, int64_t tokens, int64_t positions_used) {
  grown.next_position = NextPosition(cache, batch) + positions_used;
  if (cache.valid.defined()) {
    grown.valid =
        torch::cat({cache.valid.expand({batch, -1}), torch::ones({batch, tokens}, torch::kBool)}, 1);
  }
  cache = std::move(grown);
}

}  // namespace

torch::Tensor Bagel::AppendTokens(KvCache& cache, const torch::Tensor& ids) const {
  const int64_t batch = std::max(ids.size(0), cache.batch()), tokens = ids.size(1);
  const torch::Tensor positions = NextPosition(cache, batch).unsqueeze(1) + torch::arange(tokens);
  KvCache grown;
  const torch::Tensor mask =
      tokens == 1 && !cache.valid.defined() ? torch::Tensor() : SegmentMask(cache, batch, tokens, true);
  const Streams out =
      Run({.u = EmbedTokens(ids.expand({batch, tokens})), .g = {}}, positions, mask, &cache, &grown);
  Extend(cache, std::move(grown), batch, tokens, tokens);
  return out.u;
}

torch::Tensor Bagel::AppendImage(KvCache& cache, const torch::Tensor& pixels) const {
  const int64_t batch = pixels.size(0), p = config_.vit_patch;
  const torch::Tensor places = VitPositions(pixels.size(2) / p, pixels.size(3) / p);
  const torch::Tensor ends = StartAndEnd(batch);
  const torch::Tensor u =
      torch::cat({ends.narrow(1, 0, 1), Connect(VitTokens(pixels), places), ends.narrow(1, 1, 1)}, 1);
  const torch::Tensor positions = NextPosition(cache, batch).unsqueeze(1).expand({batch, u.size(1)});
  KvCache grown;
  const Streams out =
      Run({.u = u, .g = {}}, positions, SegmentMask(cache, batch, u.size(1), false), &cache, &grown);
  Extend(cache, std::move(grown), batch, u.size(1), 1);
  return out.u;
}

torch::Tensor Bagel::AppendLatents(KvCache& cache, const torch::Tensor& tokens, int64_t grid_h,
                                   int64_t grid_w) const {
  const int64_t batch = tokens.size(0), count = tokens.size(1) + 2;
  const torch::Tensor g = EmbedLatents(tokens, torch::zeros({batch}), LatentPositions(grid_h, grid_w));
  const torch::Tensor positions = NextPosition(cache, batch).unsqueeze(1).expand({batch, count});
  KvCache grown;
  const Streams out = Run({.u = StartAndEnd(batch), .g = g}, positions,
                          SegmentMask(cache, batch, count, false), &cache, &grown);
  Extend(cache, std::move(grown), batch, count, 1);
  return out.g;
}

KvCache Bagel::PrefillPrompt(const std::vector<int32_t>& ids) const {
  KvCache cache;
  AppendPrompt(cache, ids);
  return cache;
}

KvCache Bagel::PrefillQuestion(const torch::Tensor& pixels, const std::vector<int32_t>& ids) const {
  KvCache cache;
  AppendImage(cache, pixels);
  AppendPrompt(cache, ids);
  return cache;
}

void Bagel::AppendPrompt(KvCache& cache, const std::vector<int32_t>& ids) const {
  std::vector<int64_t> wrapped = {config_.bos};
  wrapped.insert(wrapped.end(), ids.begin(), ids.end());
  wrapped.push_back(config_.eos);
  AppendTokens(cache, torch::tensor(wrapped, torch::kInt64).unsqueeze(0).expand({cache.batch(), -1}));
}

torch::Tensor Bagel::Velocity(const KvCache& cache, const torch::Tensor& x_t, const torch::Tensor& t,
                              int64_t grid_h, int64_t grid_w) const {
  const int64_t batch = x_t.size(0), count = x_t.size(1) + 2;
  const torch::Tensor g = EmbedLatents(x_t, t, LatentPositions(grid_h, grid_w));
  const torch::Tensor positions = NextPosition(cache, batch).unsqueeze(1).expand({batch, count});
  const Streams out = Run({.u = StartAndEnd(batch), .g = g}, positions,
                          SegmentMask(cache, batch, count, false), &cache, nullptr);
  return OutputVelocity(out.g);
}

torch::Tensor Bagel::GuidedVelocity(const KvCache& cache, const KvCache& text_free, const KvCache& image_free,
                                    const torch::Tensor& x_t, const torch::Tensor& t, int64_t grid_h,
                                    int64_t grid_w, const GuidanceOptions& options) const {
  using Renorm = GuidanceOptions::Renorm;
  const torch::Tensor v = Velocity(cache, x_t, t, grid_h, grid_w);
  if (options.text_scale <= 1) return v;
  const torch::Tensor v_text_free = Velocity(text_free, x_t, t, grid_h, grid_w);
  const auto rescale = [&](const torch::Tensor& guided) {
    const std::vector<int64_t> dims =
        options.renorm == Renorm::kGlobal ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{2};
    const torch::Tensor factor = v.norm(2, dims, true) / (guided.norm(2, dims, true) + 1e-8);
    return guided * factor.clamp(options.renorm_min, 1.0);
  };
  torch::Tensor guided = v_text_free + options.text_scale * (v - v_text_free);
  if (options.renorm == Renorm::kTextChannel) guided = rescale(guided);
  if (options.image_scale > 1) {
    const torch::Tensor v_image_free = Velocity(image_free, x_t, t, grid_h, grid_w);
    guided = v_image_free + options.image_scale * (guided - v_image_free);
  }
  if (options.renorm != Renorm::kTextChannel) guided = rescale(guided);
  const torch::Tensor on =
      (t > options.interval_low).logical_and(t <= options.interval_high).view({-1, 1, 1});
  return torch::where(on, guided, v);
}

torch::Tensor Bagel::ResponseLogProbs(const KvCache& cache, const torch::Tensor& responses,
                                      double temperature) const {
  const torch::Tensor bos = torch::full({responses.size(0), 1}, config_.bos, torch::kInt64);
  KvCache context = cache;
  // Token i is predicted from bos and the tokens before it; padding stands behind and is seen by nobody.
  const torch::Tensor hidden =
      AppendTokens(context, torch::cat({bos, responses.narrow(1, 0, responses.size(1) - 1)}, 1));
  const torch::Tensor log_probs = torch::log_softmax(Logits(hidden).to(torch::kFloat32) / temperature, -1);
  return log_probs.gather(2, responses.unsqueeze(2)).squeeze(2);
}

}  // namespace lvrpo
