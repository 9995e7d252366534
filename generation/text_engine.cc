#include "generation/text_engine.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/kernels/parallel.h"
#include "model/layers/kv_table.h"

namespace lvrpo {
namespace {

struct Sequence {  // its index in the list is its slot
  size_t request;
  int64_t sample;
  int64_t newest;
};

// Entries that a slot must hold: the context, the start, and every token but the last.
int64_t Capacity(std::span<const TextRequest> requests) {
  int64_t capacity = 1;
  for (const TextRequest& request : requests)
    capacity = std::max(capacity, request.context.length() + request.options.max_tokens);
  return capacity;
}

}  // namespace

absl::StatusOr<std::vector<TextSamples>> GenerateTexts(const TextDecoder& model,
                                                       std::span<const TextRequest> requests, uint64_t seed,
                                                       const TextEngineLimits& limits,
                                                       const std::function<void(int64_t)>& progress) {
  torch::NoGradGuard no_grad;
  std::vector<TextSamples> results(requests.size());
  std::vector<Sequence> waiting;  // the next one last
  for (size_t r = requests.size(); r-- > 0;) {
    results[r].ids.resize(requests[r].samples);
    results[r].log_probs.resize(requests[r].samples);
    if (requests[r].options.max_tokens < 1) continue;
    for (int64_t sample = requests[r].samples; sample-- > 0;)
      waiting.push_back({r, sample, requests[r].start});
  }
  if (waiting.empty()) return results;

  const int64_t capacity = Capacity(requests);
  const int64_t bytes_each = model.SlotBytes(capacity);
  if (bytes_each > limits.kv_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a sequence of ", capacity, " tokens needs ", bytes_each,
                     " bytes of keys and values, and the limit is ", limits.kv_bytes,
                     ": shorten the prompt, ask for fewer tokens, or raise the limit"));
  }
  const int64_t count = std::min({std::max<int64_t>(limits.slots, 1), limits.kv_bytes / bytes_each,
                                  static_cast<int64_t>(waiting.size())});
  KvTable slots = model.MakeKvTable(count, capacity);
  std::vector<Sequence> active;
  const auto start = [&](int64_t slot) {
    slots.Fill(slot, requests[waiting.back().request].context);
    active[slot] = waiting.back();
    waiting.pop_back();
  };
  active.resize(count);
  for (int64_t slot = 0; slot < count; ++slot) start(slot);

  const uint64_t key = MixSeed(seed, Purpose::kText);
  int64_t made = 0;
  while (!active.empty()) {
    std::vector<int64_t> newest;
    std::vector<float> temperatures;
    for (const Sequence& sequence : active) {
      const double temperature = requests[sequence.request].options.temperature;
      newest.push_back(sequence.newest);
      temperatures.push_back(temperature == 0 ? 1 : static_cast<float>(temperature));
    }
    const torch::Tensor scores =
        (model.Logits(model.DecodeTokens(slots, torch::tensor(newest, torch::kInt64))).cpu() /
         torch::tensor(temperatures).unsqueeze(1))
            .contiguous();
    const torch::Tensor totals = scores.logsumexp(1);
    const auto vocabulary = static_cast<size_t>(scores.size(1));
    const float* logits = scores.const_data_ptr<float>();
    std::vector<int32_t> choices(active.size());
    ParallelFor(0, static_cast<int64_t>(active.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) {
        const auto& [request, sample, newest_token] = active[slot];
        const PhiloxStream stream = {.seed = key,
                                     .group = requests[request].group,
                                     .slot = static_cast<uint32_t>(sample),
                                     .step = static_cast<uint32_t>(results[request].ids[sample].size())};
        choices[slot] = ChooseToken({logits + static_cast<size_t>(slot) * vocabulary, vocabulary}, stream,
                                    requests[request].options);
      }
    });
    for (int64_t slot = static_cast<int64_t>(active.size()) - 1; slot >= 0; --slot) {
      Sequence& sequence = active[slot];
      const TextRequest& request = requests[sequence.request];
      std::vector<int32_t>& ids = results[sequence.request].ids[sequence.sample];
      const float* row = logits + static_cast<size_t>(slot) * vocabulary;
      const int32_t chosen = choices[slot];
      ids.push_back(chosen);
      results[sequence.request].log_probs[sequence.sample].push_back(row[chosen] -
                                                                     totals[slot].item<float>());
      sequence.newest = chosen;
      ++made;
      const bool ended = chosen == request.options.eos ||
                         static_cast<int64_t>(ids.size()) >= request.options.max_tokens ||
                         (request.stop && request.stop(ids));
      if (!ended) continue;
      if (!waiting.empty()) {
        start(slot);
        continue;
      }
      // The last sequence moves to the free slot; those after `slot` were handled already.
      const int64_t last = static_cast<int64_t>(active.size()) - 1;
      if (slot != last) {
        slots.Move(last, slot);
        active[slot] = active[last];
      }
      active.pop_back();
    }
    if (progress) progress(made);
  }
  return results;
}

absl::StatusOr<TextSamples> GenerateText(const TextDecoder& model, const TextRequest& request, uint64_t seed,
                                         const TextEngineLimits& limits) {
  absl::StatusOr<std::vector<TextSamples>> samples = GenerateTexts(model, {&request, 1}, seed, limits);
  if (!samples.ok()) return samples.status();
  return std::move((*samples)[0]);
}

}  // namespace lvrpo
