// Contexts, images and text of Bagel: everything that runs against a KvCache.

#include <algorithm>

#include "model/bagel.h"
#include "model/kernels/parallel.h"

namespace lvrpo {
namespace {

torch::Tensor NextPosition(const KvCache& cache, int64_t batch, torch::Device device) {
  if (!cache.next_position.defined())
    return torch::zeros({batch}, torch::TensorOptions(torch::kInt64).device(device));
  return cache.next_position.expand({batch});
}

// The mask of a causal segment's queries over keys (past, then own tokens): bool [1, tokens, length +
// tokens].
torch::Tensor CausalMask(const KvCache& cache, int64_t tokens, torch::Device device) {
  const torch::TensorOptions options = torch::TensorOptions(torch::kBool).device(device);
  return torch::cat(
      {torch::ones({1, tokens, cache.length()}, options), torch::ones({1, tokens, tokens}, options).tril()},
      2);
}

void Extend(KvCache& cache, KvCache grown, int64_t batch, int64_t positions_used) {
  grown.next_position = NextPosition(cache, batch, grown.keys[0].device()) + positions_used;
  cache = std::move(grown);
}

// Tokens of one thread's forward, over all guidance branches. Fewer cost more calls, more overflow the cache:
// of 140, 280, 576 and 1,200 this is the fastest with 128 channels.
constexpr int64_t kTokensAtOnce = 1200;

bool IsShared(const Bagel::GuidedContext& context) {
  return context.full->batch() == 1 && context.text_free->batch() == 1 && context.image_free->batch() == 1;
}

// The contexts, each of batch 1, of samples [first, first + count).
std::vector<Bagel::GuidedContext> Part(std::span<const Bagel::GuidedContext> contexts, int64_t first,
                                       int64_t count) {
  std::vector<Bagel::GuidedContext> part;
  int64_t row = 0;
  for (Bagel::GuidedContext context : contexts) {
    const int64_t begin = std::max(first, row), end = std::min(first + count, row + context.rows);
    row += context.rows;
    if (end <= begin) continue;
    context.rows = end - begin;
    part.push_back(context);
  }
  return part;
}

}  // namespace

torch::Tensor Bagel::AppendTokens(KvCache& cache, const torch::Tensor& ids) const {
  const int64_t batch = std::max(ids.size(0), cache.batch()), tokens = ids.size(1);
  const torch::Tensor first = NextPosition(cache, batch, device()).unsqueeze(1);
  const torch::Tensor positions = first + torch::arange(tokens, first.options());
  const Segment segment = {&cache, batch, tokens > 1 ? CausalMask(cache, tokens, device()) : torch::Tensor()};
  KvCache grown;
  const Streams out = decoder_.Run({.und = EmbedTokens(ids.expand({batch, tokens})), .gen = {}}, positions,
                                   {&segment, 1}, &grown);
  Extend(cache, std::move(grown), batch, tokens);
  return out.und;
}

torch::Tensor Bagel::AppendImage(KvCache& cache, const torch::Tensor& pixels) const {
  const int64_t batch = pixels.size(0), p = config_.vit_patch;
  const torch::Tensor places = VitPositions(pixels.size(2) / p, pixels.size(3) / p);
  const torch::Tensor ends = StartAndEnd(batch);
  const torch::Tensor und =
      torch::cat({ends.narrow(1, 0, 1), EmbedImage(VitTokens(pixels), places), ends.narrow(1, 1, 1)}, 1);
  const torch::Tensor positions =
      NextPosition(cache, batch, device()).unsqueeze(1).expand({batch, und.size(1)});
  const Segment segment = {&cache, batch};
  KvCache grown;
  const Streams out = decoder_.Run({.und = und, .gen = {}}, positions, {&segment, 1}, &grown);
  Extend(cache, std::move(grown), batch, 1);
  return out.und;
}

torch::Tensor Bagel::AppendLatents(KvCache& cache, const torch::Tensor& tokens, int64_t grid_h,
                                   int64_t grid_w) const {
  const int64_t batch = tokens.size(0), count = tokens.size(1) + 2;
  const torch::Tensor gen =
      EmbedLatents(tokens, torch::zeros({batch}, torch::TensorOptions(torch::kFloat32).device(device())),
                   LatentPositions(grid_h, grid_w));
  const torch::Tensor positions = NextPosition(cache, batch, device()).unsqueeze(1).expand({batch, count});
  const Segment segment = {&cache, batch};
  KvCache grown;
  const Streams out = decoder_.Run({.und = StartAndEnd(batch), .gen = gen}, positions, {&segment, 1}, &grown);
  Extend(cache, std::move(grown), batch, 1);
  return out.gen;
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
  AppendTokens(cache, IdTensor(wrapped).unsqueeze(0).expand({cache.batch(), -1}));
}

torch::Tensor Bagel::Velocity(const KvCache& cache, const torch::Tensor& x_t, const torch::Tensor& t,
                              int64_t grid_h, int64_t grid_w) const {
  const ContextRows context = {&cache, x_t.size(0)};
  return Velocity(std::span(&context, 1), x_t, t, grid_h, grid_w);
}

torch::Tensor Bagel::Velocity(std::span<const ContextRows> contexts, const torch::Tensor& x_t,
                              const torch::Tensor& t, int64_t grid_h, int64_t grid_w) const {
  const int64_t batch = x_t.size(0), count = x_t.size(1) + 2;
  std::vector<Segment> segments;
  std::vector<torch::Tensor> next;
  for (const auto& [cache, rows] : contexts) {
    segments.push_back({cache, rows});
    next.push_back(NextPosition(*cache, rows, device()));
  }
  const torch::Tensor gen = EmbedLatents(x_t, t, LatentPositions(grid_h, grid_w));
  const torch::Tensor positions = torch::cat(next).unsqueeze(1).expand({batch, count});
  return OutputVelocity(
      decoder_.Run({.und = StartAndEnd(batch), .gen = gen}, positions, segments, nullptr).gen);
}

bool Bagel::SamplesAreIndependent() const {
  const int64_t qkv = config_.hidden + 2 * config_.kv_heads * config_.head_dim(),
                widest = std::max(2 * config_.mlp, qkv);  // over the layers of a denoising step
  return !decoder_.has_source() && dtype() == torch::kFloat32 && device().is_cpu() && lora_scale_ == 0 &&
         !config_.router.top_k && FusedLinear::UsesOwnProduct(widest * config_.hidden);
}

torch::Tensor Bagel::GuidedVelocity(std::span<const GuidedContext> contexts, const torch::Tensor& x_t,
                                    const torch::Tensor& t, int64_t grid_h, int64_t grid_w,
                                    const GuidanceOptions& options) const {
  const int64_t samples = x_t.size(0), threads = ThreadsHere();
  if (threads == 1 || samples < 2 * threads || torch::GradMode::is_enabled() || !SamplesAreIndependent() ||
      !std::all_of(contexts.begin(), contexts.end(), IsShared))
    return GuidedForward(contexts, x_t, t, grid_h, grid_w, options);
  // Each thread runs its own samples through all layers: no barrier between operations, and activations stay
  // in the core's cache.
  const int64_t branches = options.text_scale > 1 ? 2 : 1,
                at_once = std::max<int64_t>(1, kTokensAtOnce / (branches * (x_t.size(1) + 2))),
                pieces = threads * ((samples + threads * at_once - 1) / (threads * at_once));
  const torch::Tensor v = torch::empty_like(x_t);
  ParallelFor(0, pieces, 1, [&](int64_t begin, int64_t end) {
    const torch::NoGradGuard no_grad;
    for (int64_t piece = begin; piece < end; ++piece) {
      const int64_t first = samples * piece / pieces, count = samples * (piece + 1) / pieces - first;
      const auto own = [&](const torch::Tensor& x) { return x.narrow(0, first, count); };
      own(v).copy_(GuidedForward(Part(contexts, first, count), own(x_t), own(t), grid_h, grid_w, options));
    }
  });
  return v;
}

torch::Tensor Bagel::GuidedForward(std::span<const GuidedContext> contexts, const torch::Tensor& x_t,
                                   const torch::Tensor& t, int64_t grid_h, int64_t grid_w,
                                   const GuidanceOptions& options) const {
  using Renorm = GuidanceOptions::Renorm;
  const bool guided_at_all = options.text_scale > 1;  // the image branch alone does nothing
  bool third = false;
  for (const GuidedContext& context : contexts) third = third || context.image_free != context.full;
  third = third && guided_at_all && options.image_scale > 1;

  std::vector<ContextRows> rows;
  for (const GuidedContext& context : contexts) rows.push_back({context.full, context.rows});
  if (guided_at_all) {
    for (const GuidedContext& context : contexts) rows.push_back({context.text_free, context.rows});
  }
  if (third) {
    for (const GuidedContext& context : contexts) rows.push_back({context.image_free, context.rows});
  }
  const int64_t branches = 1 + (guided_at_all ? 1 : 0) + (third ? 1 : 0);
  const std::vector<torch::Tensor> velocities =
      Velocity(rows, x_t.repeat({branches, 1, 1}), t.repeat({branches}), grid_h, grid_w).chunk(branches);
  const torch::Tensor& v = velocities[0];
  if (!guided_at_all) return v;

  const auto rescale = [&](const torch::Tensor& guided) {
    const std::vector<int64_t> dims =
        options.renorm == Renorm::kGlobal ? std::vector<int64_t>{1, 2} : std::vector<int64_t>{2};
    const torch::Tensor factor = v.norm(2, dims, true) / (guided.norm(2, dims, true) + 1e-8);
    return guided * factor.clamp(options.renorm_min, 1.0);
  };
  torch::Tensor guided = velocities[1] + options.text_scale * (v - velocities[1]);
  if (options.renorm == Renorm::kTextChannel) guided = rescale(guided);
  if (options.image_scale > 1) {
    const torch::Tensor& image_free = third ? velocities[2] : v;
    guided = image_free + options.image_scale * (guided - image_free);
  }
  if (options.renorm != Renorm::kTextChannel) guided = rescale(guided);
  const torch::Tensor on =
      (t > options.interval_low).logical_and(t <= options.interval_high).view({-1, 1, 1});
  return torch::where(on, guided, v);
}

torch::Tensor Bagel::DecodeTokens(KvTable& table, const torch::Tensor& ids) const {
  return decoder_.Step(table, EmbedTokens(ids));
}

KvTable Bagel::MakeKvTable(int64_t slots, int64_t capacity) const {
  return KvTable(decoder_.kv_shape(), slots, capacity, torch::TensorOptions(dtype()).device(device()));
}

int64_t Bagel::SlotBytes(int64_t capacity) const {
  return KvTable::Bytes(decoder_.kv_shape(), 1, capacity, dtype());
}

torch::Tensor Bagel::ResponseLogProbs(const KvCache& cache, const torch::Tensor& responses,
                                      double temperature) const {
  const torch::Tensor bos = responses.new_full({responses.size(0), 1}, config_.bos);
  KvCache context = cache;
  // Token i is predicted from bos and the tokens before it; padding follows, where causality masks it.
  const torch::Tensor hidden =
      AppendTokens(context, torch::cat({bos, responses.narrow(1, 0, responses.size(1) - 1)}, 1));
  const torch::Tensor log_probs = torch::log_softmax(Logits(hidden) / temperature, -1);
  return log_probs.gather(2, responses.to(device()).unsqueeze(2)).squeeze(2);
}

}  // namespace lvrpo
