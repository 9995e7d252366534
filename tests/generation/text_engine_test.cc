#include "generation/text_engine.h"

#include "gtest/gtest.h"
#include "model/layers/kv_table.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

constexpr uint64_t kSeed = 11;

TextRequest Request(const Bagel& model, const std::vector<int32_t>& prompt, int64_t samples, uint32_t group,
                    double temperature = 1) {
  torch::NoGradGuard no_grad;
  TextRequest request;
  request.context = model.PrefillPrompt(prompt);
  request.start = model.config().bos;
  request.samples = samples;
  request.group = group;
  // Any token ends a sample with probability 1/40 or so: lengths differ.
  request.options = {.max_tokens = 12, .temperature = temperature, .eos = 7};
  return request;
}

// One sample after another, one token after another.
TextSamples Plain(const Bagel& model, const TextRequest& request) {
  torch::NoGradGuard no_grad;
  TextSamples samples;
  PhiloxStream stream{.seed = MixSeed(kSeed, Purpose::kText), .group = request.group};
  for (int64_t slot = 0; slot < request.samples; ++slot) {
    std::vector<int32_t>& ids = samples.ids.emplace_back();
    std::vector<float>& log_probs = samples.log_probs.emplace_back();
    KvCache cache = request.context;
    int64_t newest = model.config().bos;
    while (static_cast<int>(ids.size()) < request.options.max_tokens && newest != request.options.eos) {
      const double temperature = request.options.temperature == 0 ? 1 : request.options.temperature;
      const torch::Tensor scores =
          (model.Logits(model.AppendTokens(cache, Ids({newest}))).flatten() / temperature).contiguous();
      stream.slot = static_cast<uint32_t>(slot);
      stream.step = static_cast<uint32_t>(ids.size());
      newest = ChooseToken({scores.data_ptr<float>(), static_cast<size_t>(scores.size(0))}, stream,
                           request.options);
      ids.push_back(static_cast<int32_t>(newest));
      log_probs.push_back(scores.log_softmax(0)[newest].item<float>());
    }
  }
  return samples;
}

void ExpectSame(const TextSamples& got, const TextSamples& expected) {
  ASSERT_EQ(got.ids, expected.ids);
  for (size_t i = 0; i < got.log_probs.size(); ++i) {
    for (size_t j = 0; j < got.log_probs[i].size(); ++j)
      EXPECT_NEAR(got.log_probs[i][j], expected.log_probs[i][j], 1e-4) << i << " " << j;
  }
}

TEST(GenerateTexts, GivesEachSampleWhateverSharesItsBatch) {
  const Bagel model = TinyBagel();
  const std::vector<TextRequest> requests = {Request(model, {10, 11, 12}, 7, 3), Request(model, {20}, 5, 4),
                                             Request(model, {5, 6, 7, 8, 9, 10}, 1, 9, /*temperature=*/0)};
  for (const int64_t slots : {1, 3, 64}) {
    const auto results = GenerateTexts(model, requests, kSeed, {.slots = slots});
    ASSERT_TRUE(results.ok()) << results.status();
    for (size_t i = 0; i < requests.size(); ++i) ExpectSame((*results)[i], Plain(model, requests[i]));
  }
}

TEST(GenerateTexts, IsTheSameBitForBitAtTheSameBatchShape) {
  const Bagel model = TinyBagel();
  const TextRequest request = Request(model, {10, 11}, 6, 1);
  const auto first = GenerateTexts(model, {&request, 1}, kSeed),
             again = GenerateTexts(model, {&request, 1}, kSeed);
  EXPECT_EQ((*first)[0].ids, (*again)[0].ids);
  EXPECT_EQ((*first)[0].log_probs, (*again)[0].log_probs);
}

TEST(GenerateTexts, LogProbsAreThoseThatTheLearnerComputes) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  TextRequest request = Request(model, {10, 11}, 3, 1, /*temperature=*/.7);
  const TextSamples samples = (*GenerateTexts(model, {&request, 1}, kSeed))[0];
  for (size_t i = 0; i < samples.ids.size(); ++i) {
    const torch::Tensor response = torch::tensor(samples.ids[i]).to(torch::kInt64).unsqueeze(0);
    EXPECT_TRUE(Close(torch::tensor(samples.log_probs[i]),
                      model.ResponseLogProbs(request.context, response, .7).squeeze(0)));
  }
}

TEST(GenerateTexts, StopsWhereItIsTold) {
  const Bagel model = TinyBagel();
  TextRequest request = Request(model, {10}, 4, 2);
  request.stop = [](std::span<const int32_t> ids) { return ids.size() == 3; };
  const TextSamples samples = (*GenerateTexts(model, {&request, 1}, kSeed))[0];
  for (const auto& ids : samples.ids) EXPECT_LE(ids.size(), 3u);
}

TEST(GenerateTexts, KeepsToItsMemory) {
  const Bagel model = TinyBagel();
  const TextRequest request = Request(model, {10, 11, 12}, 8, 3);
  const int64_t one = model.SlotBytes(request.context.length() + 12);
  // Room for two and a half: two slots, the same samples.
  const auto two = GenerateTexts(model, {&request, 1}, kSeed, {.slots = 64, .kv_bytes = 5 * one / 2});
  ASSERT_TRUE(two.ok());
  ExpectSame((*two)[0], Plain(model, request));
  const auto none = GenerateTexts(model, {&request, 1}, kSeed, {.slots = 64, .kv_bytes = one - 1});
  EXPECT_EQ(none.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(GenerateTexts, TellsItsProgress) {
  const Bagel model = TinyBagel();
  const TextRequest request = Request(model, {10}, 4, 2);
  int64_t last = 0;
  const auto results = GenerateTexts(model, {&request, 1}, kSeed, {.slots = 2}, [&](int64_t tokens) {
    EXPECT_GT(tokens, last);
    last = tokens;
  });
  int64_t made = 0;
  for (const auto& ids : (*results)[0].ids) made += static_cast<int64_t>(ids.size());
  EXPECT_EQ(last, made);
}

}  // namespace
}  // namespace lvrpo
