#include "model/bagel.h"

#include <cmath>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/merge_lora.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kRows = 3, kColumns = 2, kTokens = kRows * kColumns;

torch::Tensor Latents(int64_t images) {
  torch::manual_seed(21);
  return torch::randn({images, kTokens, 4});
}
torch::Tensor Times(int64_t images) { return torch::linspace(.95, .2, images); }
torch::Tensor Pixels(int64_t images) {
  torch::manual_seed(22);
  return torch::rand({images, 3, 16, 8}) * 2 - 1;  // 2 x 1 patches
}

torch::Tensor VelocityOf(const Bagel& model, const KvCache& context) {
  return model.Velocity(context, Latents(2), Times(2), kRows, kColumns);
}

// --- Tables, by hand.

TEST(SinCosTable, IsSineAndCosineOfTheColumnThenOfTheRow) {
  const torch::Tensor table = SinCosTable(8, 3);
  ASSERT_EQ(table.sizes(), torch::IntArrayRef({9, 8}));
  // Row 1, column 2; frequencies 1 and 10000^(-1/2) = 1/100.
  EXPECT_TRUE(Close(table[1 * 3 + 2],
                    torch::tensor({.90929743f, .01999867f, -.41614684f, .99980001f,   // sin, cos of 2 and .02
                                   .84147098f, .00999983f, .54030231f, .99995000f}),  // sin, cos of 1 and .01
                    2e-7));
  EXPECT_TRUE(torch::equal(table[0], torch::tensor({0.f, 0.f, 1.f, 1.f, 0.f, 0.f, 1.f, 1.f})));
  // Row 2, column 0 is row 0, column 2 with the halves exchanged.
  EXPECT_TRUE(torch::equal(table[2 * 3], torch::cat({table[2].slice(0, 4, 8), table[2].slice(0, 0, 4)})));
}

TEST(TimestepEmbedding, IsTheCosineThenTheSineOfTheUnscaledTime) {
  const torch::Tensor embedding = TimestepEmbedding(torch::tensor({0.f, .5f, 1.f}));
  ASSERT_EQ(embedding.sizes(), torch::IntArrayRef({3, 256}));
  EXPECT_TRUE(torch::equal(embedding[0], torch::cat({torch::ones({128}), torch::zeros({128})})));
  const auto at = [&](int64_t row, int64_t j) { return embedding[row][j].item<double>(); };
  EXPECT_NEAR(at(1, 0), .87758256, 1e-6);    // cos(.5)
  EXPECT_NEAR(at(1, 64), .99998750, 1e-6);   // cos(.5 / 100): f_64 = 10000^(-64/128)
  EXPECT_NEAR(at(1, 128), .47942554, 1e-6);  // sin(.5)
  EXPECT_NEAR(at(1, 192), .00499998, 1e-6);  // sin(.5 / 100)
  EXPECT_NEAR(at(2, 0), .54030231, 1e-6);    // cos(1)
  EXPECT_NEAR(at(2, 128), .84147098, 1e-6);  // sin(1)
}

TEST(Positions, AreRowMajorPlacesInTablesWiderThanTheGrid) {
  const Bagel model = TinyBagel();  // both tables have side 4
  EXPECT_TRUE(torch::equal(model.LatentPositions(3, 2), Ids({0, 1, 4, 5, 8, 9}).squeeze(0)));
  EXPECT_THROW(model.LatentPositions(2, 5), c10::Error);
  EXPECT_TRUE(torch::equal(model.VitPositions(2, 3), Ids({0, 1, 2, 4, 5, 6}).squeeze(0)));
}

TEST(VitPatches, HoldTheirPixelsInRowColumnChannelOrder) {
  const Bagel model = TinyBagel();
  const torch::Tensor pixels = torch::arange(2 * 3 * 16 * 24, torch::kFloat32).view({2, 3, 16, 24});
  const torch::Tensor patches = model.VitPatches(pixels);
  ASSERT_EQ(patches.sizes(), torch::IntArrayRef({2, 6, 192}));
  // Image 1, patch (1, 2), pixel (5, 3), channel 2.
  EXPECT_EQ(patches[1][1 * 3 + 2][(5 * 8 + 3) * 3 + 2].item<float>(),
            pixels[1][2][8 + 5][16 + 3].item<float>());
}

// --- A fresh model.

TEST(RandomInit, StartsWithEqualExpertsAndNoVelocity) {
  const TensorMap tensors = Bagel::RandomInit(TinyConfig(), 5);
  int64_t pairs = 0;
  for (const auto& [name, tensor] : tensors) {
    const size_t at = name.find("_moe_gen");
    if (at == std::string::npos) continue;
    std::string base = name;
    base.erase(at, std::string("_moe_gen").size());
    EXPECT_TRUE(torch::equal(tensor, tensors.at(base))) << name;
    EXPECT_NE(tensor.data_ptr(), tensors.at(base).data_ptr()) << name << " would be trained with its base";
    ++pairs;
  }
  EXPECT_EQ(pairs, 2 * 14 + 1);
  const Bagel model = *Bagel::Create(TinyConfig(), tensors, "test");
  EXPECT_EQ(VelocityOf(model, model.PrefillPrompt({10})).abs().max().item<float>(), 0);
}

TEST(RandomInit, IsAFunctionOfTheSeed) {
  const std::string digest = DigestOf(Bagel::RandomInit(TinyConfig(), 5));
  torch::rand({3});  // the global generator does not matter
  EXPECT_EQ(DigestOf(Bagel::RandomInit(TinyConfig(), 5)), digest);
  EXPECT_NE(DigestOf(Bagel::RandomInit(TinyConfig(), 6)), digest);
}

// --- Hard routing.

bool IsGeneration(const std::string& name) {
  return MatchesPatterns(name, {"_moe_gen", "llm2vae", "vae2llm", "time_embedder", "latent_pos_embed"});
}

TEST(Routing, EveryGenerationWeightMovesTheVelocityAndNoneMovesText) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  struct Results {
    KvCache context;
    torch::Tensor text, velocity;
  };
  const auto run = [](const Bagel& bagel) {
    Results results;
    results.context = bagel.PrefillQuestion(Pixels(1), {10, 11, 12});
    KvCache copy = results.context;
    results.text = bagel.Logits(bagel.AppendTokens(copy, Ids({1, 20, 21})));
    results.velocity = VelocityOf(bagel, results.context);
    return results;
  };
  const Results before = run(model);
  int64_t seen = 0;
  for (const auto& [name, tensor] : model.tensors()) {
    if (!IsGeneration(name)) continue;
    SCOPED_TRACE(name);
    const Results after = run(Perturbed(model, name));
    EXPECT_TRUE(torch::equal(after.text, before.text));
    for (size_t layer = 0; layer < before.context.keys.size(); ++layer) {
      EXPECT_TRUE(torch::equal(after.context.keys[layer], before.context.keys[layer]));
      EXPECT_TRUE(torch::equal(after.context.values[layer], before.context.values[layer]));
    }
    EXPECT_FALSE(torch::equal(after.velocity, before.velocity));
    ++seen;
  }
  EXPECT_EQ(seen, 2 * 14 + 1 + 4 + 4 + 1);  // layers, last norm, both projections, time embedder, positions
}

// Latents meet the und expert in attention only: in the last layer through keys and values, so that layer's
// und queries, output and MLP, the last norm and the head never reach an image.
TEST(Routing, UnderstandingWeightsReachLatentsThroughKeysAndValuesOnly) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const torch::Tensor positions = model.LatentPositions(kRows, kColumns);
  const torch::Tensor before = VelocityOf(model, model.PrefillPrompt({10, 11, 12}));
  const torch::Tensor embedded = model.EmbedLatents(Latents(2), Times(2), positions);
  int64_t moved = 0, unmoved = 0;
  for (const auto& [name, tensor] : model.tensors()) {
    if (IsGeneration(name)) continue;
    SCOPED_TRACE(name);
    const Bagel other = Perturbed(model, name);
    EXPECT_TRUE(torch::equal(other.EmbedLatents(Latents(2), Times(2), positions), embedded));
    EXPECT_TRUE(torch::equal(other.OutputVelocity(embedded), model.OutputVelocity(embedded)));
    const bool last_layer =
        MatchesPatterns(name, {"layers.1."}) && MatchesPatterns(name, {"language_model."});
    const bool reaches = last_layer ? MatchesPatterns(name, {"input_layernorm", "k_proj", "v_proj", "k_norm"})
                                    : MatchesPatterns(name, {"language_model.", "!lm_head", "!model.norm."});
    EXPECT_EQ(torch::equal(VelocityOf(other, other.PrefillPrompt({10, 11, 12})), before), !reaches);
    ++(reaches ? moved : unmoved);
  }
  EXPECT_EQ(moved, 1 + 14 + 6);  // token embeddings, the first layer, six tensors of the last
  EXPECT_GT(unmoved, 8);
}

TEST(Routing, GenerationWeightsReachTextOnceLatentsAreInTheContext) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const auto text = [](const Bagel& bagel) {
    KvCache cache = bagel.PrefillPrompt({10});
    bagel.AppendLatents(cache, Latents(1), kRows, kColumns);
    return bagel.AppendTokens(cache, Ids({1, 20}));
  };
  const torch::Tensor before = text(model);
  for (const std::string& name :
       {std::string("vae2llm.weight"),
        std::string("language_model.model.layers.0.mlp_moe_gen.up_proj.weight"),
        std::string("language_model.model.layers.1.self_attn.v_proj_moe_gen.weight")}) {
    EXPECT_FALSE(Close(text(Perturbed(model, name)), before, 1e-3)) << name;
  }
}

TEST(AppendLatents, EncodesCleanLatentsAsVelocityDoesAtTimeZero) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const KvCache context = model.PrefillPrompt({10, 11});
  KvCache copy = context;
  const torch::Tensor hidden = model.AppendLatents(copy, Latents(2), kRows, kColumns);
  EXPECT_TRUE(Close(model.OutputVelocity(hidden),
                    model.Velocity(context, Latents(2), torch::zeros({2}), kRows, kColumns)));
}

// --- Batched training forwards against the contexts of sampling.

// Rows: a caption, a shorter one, an empty one, and none. each followed by `padding`.
struct Captions {
  std::vector<std::vector<int64_t>> rows = {{1, 10, 11, 12, 2}, {1, 13, 2}, {1, 2}, {}};
  torch::Tensor ids, lengths;

  explicit Captions(int64_t padding) {
    ids = torch::full({4, 5}, padding, torch::kInt64);
    lengths = torch::zeros({4}, torch::kInt64);
    for (size_t b = 0; b < rows.size(); ++b) {
      const auto row = static_cast<int64_t>(b), length = static_cast<int64_t>(rows[b].size());
      if (length > 0) ids[row].narrow(0, 0, length).copy_(torch::tensor(rows[b], torch::kInt64));
      lengths[row] = length;
    }
  }
};

TEST(ForwardTextToImage, IsEachSampleAloneWhateverThePadding) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  for (const int64_t padding : {0, 17}) {
    const Captions captions(padding);
    const Bagel::TextToImage out =
        model.ForwardTextToImage(captions.ids, captions.lengths, Latents(4), Times(4), kRows, kColumns);
    for (int64_t i = 0; i < 4; ++i) {
      SCOPED_TRACE(i);
      const std::vector<int64_t>& row = captions.rows[static_cast<size_t>(i)];
      const auto length = static_cast<int64_t>(row.size());
      KvCache context;
      if (length > 0) {
        const torch::Tensor hidden = model.AppendTokens(context, Ids(row));
        EXPECT_TRUE(Close(out.text_hidden.narrow(0, i, 1).narrow(1, 0, length), hidden));
      }
      EXPECT_TRUE(Close(
          out.velocity.narrow(0, i, 1),
          model.Velocity(context, Latents(4).narrow(0, i, 1), Times(4).narrow(0, i, 1), kRows, kColumns)));
    }
    // The first row is a prompt as the sampler prefills it.
    EXPECT_TRUE(Close(out.velocity.narrow(0, 0, 1),
                      model.Velocity(model.PrefillPrompt({10, 11, 12}), Latents(4).narrow(0, 0, 1),
                                     Times(4).narrow(0, 0, 1), kRows, kColumns)));
  }
}

TEST(ForwardUnderstanding, IsAnImageThenItsTextInAContext) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const torch::Tensor text = torch::cat({Ids({1, 10, 11, 2, 1, 20, 21}), Ids({1, 12, 2, 1, 22, 0, 0})});
  const torch::Tensor hidden = model.ForwardUnderstanding(Pixels(2), text);
  KvCache both;
  model.AppendImage(both, Pixels(2));
  EXPECT_TRUE(Close(hidden, model.AppendTokens(both, text)));
  KvCache one;
  model.AppendImage(one, Pixels(2).narrow(0, 1, 1));
  EXPECT_TRUE(Close(hidden.narrow(0, 1, 1), model.AppendTokens(one, text.narrow(0, 1, 1))));
}

TEST(PrefillQuestion, IsTheImageThenThePrompt) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  KvCache by_hand;
  model.AppendImage(by_hand, Pixels(2));
  model.AppendTokens(by_hand, Ids({1, 10, 11, 2}));
  const KvCache question = model.PrefillQuestion(Pixels(2), {10, 11});
  ASSERT_EQ(question.batch(), 2);
  EXPECT_TRUE(Close(question.keys[1], by_hand.keys[1]));
  EXPECT_TRUE(torch::equal(question.next_position, by_hand.next_position));
}

// --- Text.

TEST(ResponseLogProbs, AreTheLogSoftmaxOfTheLogitsStepByStep) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const KvCache context = model.PrefillPrompt({10, 11});
  const std::vector<std::vector<int64_t>> responses = {{12, 13, 14, 2}, {20, 2}};
  torch::Tensor padded = torch::zeros({2, 4}, torch::kInt64);
  for (int64_t b = 0; b < 2; ++b) {
    const std::vector<int64_t>& row = responses[static_cast<size_t>(b)];
    padded[b].narrow(0, 0, static_cast<int64_t>(row.size())).copy_(torch::tensor(row, torch::kInt64));
  }
  for (const double temperature : {1.0, .7}) {
    const torch::Tensor got = model.ResponseLogProbs(context, padded, temperature);
    ASSERT_EQ(got.sizes(), torch::IntArrayRef({2, 4}));
    for (int64_t b = 0; b < 2; ++b) {
      KvCache cache = context;
      int64_t previous = model.config().bos;
      int64_t i = 0;
      for (const int64_t id : responses[static_cast<size_t>(b)]) {
        const torch::Tensor logits = model.Logits(model.AppendTokens(cache, Ids({previous})))[0][0];
        EXPECT_NEAR(got[b][i++].item<double>(),
                    torch::log_softmax(logits / temperature, 0)[id].item<double>(), 1e-4);
        previous = id;
      }
    }
  }
}

TEST(ResponseLogProbs, DoNotDependOnPaddingOrOnTheOtherSamples) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const KvCache context = model.PrefillPrompt({11, 12, 13, 14});
  const torch::Tensor zeros = torch::cat({Ids({20, 2, 0, 0}), Ids({21, 22, 23, 2})});
  const torch::Tensor junk = torch::cat({Ids({20, 2, 35, 36}), Ids({21, 22, 23, 2})});
  const torch::Tensor together = model.ResponseLogProbs(context, zeros, 1);
  EXPECT_TRUE(Close(model.ResponseLogProbs(context, junk, 1).narrow(1, 0, 2), together.narrow(1, 0, 2)));
  for (int64_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(Close(together.narrow(0, i, 1), model.ResponseLogProbs(context, zeros.narrow(0, i, 1), 1)));
  }
}

// --- Guidance.

TEST(GuidedVelocity, WithTextScaleOneIsTheVelocity) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const KvCache context = model.PrefillPrompt({10, 11}), other = model.PrefillPrompt({12});
  GuidanceOptions options;
  options.image_scale = 3;  // without guidance by text there is none by image
  EXPECT_TRUE(torch::equal(
      model.GuidedVelocity(context, KvCache(), other, Latents(2), Times(2), kRows, kColumns, options),
      VelocityOf(model, context)));
}

TEST(GuidedVelocity, ActsOnlyOnSamplesInsideTheInterval) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const KvCache context = model.PrefillPrompt({10, 11});
  const torch::Tensor t = torch::tensor({.25f, .5f, .75f, 1.f});
  GuidanceOptions options;
  options.text_scale = 3;
  options.interval_low = .25, options.interval_high = .75;  // low is outside, high inside
  const torch::Tensor plain = model.Velocity(context, Latents(4), t, kRows, kColumns);
  const torch::Tensor guided =
      model.GuidedVelocity(context, KvCache(), context, Latents(4), t, kRows, kColumns, options);
  for (const int64_t outside : {0, 3}) EXPECT_TRUE(torch::equal(guided[outside], plain[outside])) << outside;
  for (const int64_t inside : {1, 2}) EXPECT_FALSE(Close(guided[inside], plain[inside], 1e-3)) << inside;
}

TEST(GuidedVelocity, NeverGrowsBeyondTheVelocityItGuides) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const KvCache context = model.PrefillPrompt({10, 11});
  const torch::Tensor plain = VelocityOf(model, context);
  for (const auto& [renorm, dims] : {std::pair{GuidanceOptions::Renorm::kGlobal, std::vector<int64_t>{1, 2}},
                                     {GuidanceOptions::Renorm::kChannel, {2}}}) {
    GuidanceOptions options;
    options.text_scale = 5;
    options.renorm = renorm;
    const torch::Tensor guided =
        model.GuidedVelocity(context, KvCache(), context, Latents(2), Times(2), kRows, kColumns, options);
    EXPECT_TRUE(guided.norm(2, dims, true).le(plain.norm(2, dims, true) * 1.0001).all().item<bool>());
    EXPECT_FALSE(Close(guided, plain, 1e-3));
  }
}

TEST(GuidedVelocity, OfSeveralContextsIsEachContextAlone) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const KvCache empty, a = model.PrefillPrompt({10, 11, 12}), b = model.PrefillPrompt({13}),
                       edit = model.PrefillPrompt({14, 15}), instruction = model.PrefillPrompt({16});
  GuidanceOptions options;
  options.text_scale = 3, options.image_scale = 1.5;
  const std::vector<Bagel::GuidedContext> contexts = {
      {&a, &empty, &a, 2}, {&edit, &b, &instruction, 1}, {&empty, &empty, &empty, 1}};
  const torch::Tensor together =
      model.GuidedVelocity(contexts, Latents(4), Times(4), kRows, kColumns, options);
  int64_t row = 0;
  for (const Bagel::GuidedContext& context : contexts) {
    EXPECT_TRUE(Close(together.narrow(0, row, context.rows),
                      model.GuidedVelocity({&context, 1}, Latents(4).narrow(0, row, context.rows),
                                           Times(4).narrow(0, row, context.rows), kRows, kColumns, options)));
    row += context.rows;
  }
}

// Several threads each run their own samples.
TEST(GuidedVelocity, IsTheSameOnAnyNumberOfThreads) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const KvCache empty, a = model.PrefillPrompt({10, 11, 12}), b = model.PrefillPrompt({13});
  GuidanceOptions options;
  options.text_scale = 3;
  const std::vector<Bagel::GuidedContext> contexts = {{&a, &empty, &a, 4}, {&b, &empty, &b, 3}};
  const torch::Tensor x = Latents(7), t = Times(7);
  const int threads = torch::get_num_threads();
  torch::set_num_threads(1);
  const torch::Tensor alone = model.GuidedVelocity(contexts, x, t, kRows, kColumns, options);
  torch::set_num_threads(3);
  const torch::Tensor split = model.GuidedVelocity(contexts, x, t, kRows, kColumns, options);
  torch::set_num_threads(threads);
  EXPECT_TRUE(Close(split, alone));
  if (model.SamplesAreIndependent()) {
    EXPECT_TRUE(torch::equal(split, alone));
    const Bagel::GuidedContext last = {&b, &empty, &b, 1};
    EXPECT_TRUE(torch::equal(
        model.GuidedVelocity({&last, 1}, x.narrow(0, 6, 1), t.narrow(0, 6, 1), kRows, kColumns, options),
        alone.narrow(0, 6, 1)));
  }
}

TEST(GuidanceOptions, AreOffOutsideTheInterval) {
  const GuidanceOptions options = {.text_scale = 4, .interval_low = .4, .interval_high = .9};
  for (const auto& [t, scale] : {std::pair{.4, 1.}, {.41, 4.}, {.9, 4.}, {.91, 1.}})
    EXPECT_EQ(options.At(t).text_scale, scale) << t;
}

// Velocity and logits after an image and a prompt: they depend on every part.
std::pair<torch::Tensor, torch::Tensor> OutputsOf(const Bagel& model) {
  KvCache context;
  torch::manual_seed(5);
  model.AppendImage(context, torch::rand({1, 3, 8, 8}) * 2 - 1);
  model.AppendPrompt(context, {10, 11});
  const torch::Tensor velocity = VelocityOf(model, context);
  return {velocity, model.Logits(model.AppendTokens(context, Ids({1, 20, 21})))};
}

// --- Adapters.

TEST(Lora, AdaptersChangeTheModelAsTheirMergedWeightsDo) {
  torch::NoGradGuard no_grad;
  const Bagel plain = TinyBagel();
  // Every linear layer there is, then those of one part alone.
  for (const std::vector<std::string>& modules :
       {std::vector<std::string>{"_proj", "vae2llm", "llm2vae", "time_embedder", "connector", "fc1", "fc2",
                                 "lm_head", "patch_embedding"},
        {"vae2llm"},
        {"connector"},
        {"vit_model.vision_model.encoder", "!norm"}}) {
    SCOPED_TRACE(modules[0]);
    const LoraConfig lora = {.rank = 2, .alpha = 8, .modules = modules};
    TensorMap tensors = plain.tensors();
    ASSERT_TRUE(AddLora(tensors, lora, 3).ok());
    const auto [velocity, logits] = OutputsOf(plain);
    const auto fresh = OutputsOf(*Bagel::Create(TinyConfig(), tensors, "test", lora));
    EXPECT_TRUE(torch::equal(fresh.first, velocity) && torch::equal(fresh.second, logits))
        << "B starts at zero";

    torch::manual_seed(3);
    for (auto& [name, tensor] : tensors) {
      if (name.find(kLoraB) != std::string::npos) tensor.normal_(0, .2);
    }
    const auto adapted = OutputsOf(*Bagel::Create(TinyConfig(), tensors, "test", lora));
    const auto merged = OutputsOf(*Bagel::Create(TinyConfig(), *MergeLora(tensors, lora), "test"));
    EXPECT_TRUE(Close(adapted.first, merged.first));
    EXPECT_TRUE(Close(adapted.second, merged.second));
    EXPECT_FALSE(Close(adapted.first, velocity, 1e-3));
  }
}

TEST(Lora, AdaptersWithoutTheirSettingsAreRefused) {
  TensorMap tensors = TinyBagel().tensors();
  ASSERT_TRUE(AddLora(tensors, {.rank = 2, .alpha = 2, .modules = {"vae2llm"}}, 3).ok());
  const absl::Status status = Bagel::Create(TinyConfig(), tensors, "test").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(status.message().find("vae2llm"), std::string::npos) << status;
}

// --- Dtypes.

TEST(Bf16, ComputesWhatFp32DoesWithinItsPrecision) {
  const torch::NoGradGuard no_grad;
  const Bagel wide = TinyBagel();
  TensorMap tensors = wide.tensors();
  for (auto& [name, tensor] : tensors) tensor = tensor.to(torch::kBFloat16);
  const Bagel narrow = *Bagel::Create(TinyConfig(), tensors, "test");
  // The same values in fp32: what is left is the arithmetic's rounding, 8 bits.
  for (auto& [name, tensor] : tensors) tensor = tensor.to(torch::kFloat32);
  const Bagel rounded = *Bagel::Create(TinyConfig(), tensors, "test");
  const auto got = OutputsOf(narrow), expected = OutputsOf(rounded);
  EXPECT_EQ(got.first.scalar_type(), torch::kFloat32);
  EXPECT_EQ(got.second.scalar_type(), torch::kFloat32);
  EXPECT_TRUE(Close(got.first, expected.first, 4e-2));
  EXPECT_TRUE(Close(got.second, expected.second, 4e-2));
}

// --- Gradients.

TEST(Gradients, OfTheVelocityErrorAgreeWithFiniteDifferences) {
  const Bagel model = TinyBagel();
  const Captions captions(0);
  torch::manual_seed(31);
  const torch::Tensor target = torch::randn({4, kTokens, 4});
  const auto loss = [&](const std::string& name, const torch::Tensor& value) {
    const Bagel changed = *model.WithTensors({{name, value}}, "test");
    const torch::Tensor velocity =
        changed.ForwardTextToImage(captions.ids, captions.lengths, Latents(4), Times(4), kRows, kColumns)
            .velocity;
    return (velocity - target).to(torch::kFloat64).square().mean();
  };
  const std::string layers = "language_model.model.layers.";
  for (const std::string& name :
       {std::string("vae2llm.weight"), std::string("llm2vae.weight"), std::string("llm2vae.bias"),
        std::string("time_embedder.mlp.0.weight"), std::string("language_model.model.embed_tokens.weight"),
        layers + "0.mlp_moe_gen.up_proj.weight", layers + "0.self_attn.k_norm_moe_gen.weight",
        layers + "1.self_attn.q_proj_moe_gen.weight", layers + "1.input_layernorm_moe_gen.weight",
        layers + "0.mlp.down_proj.weight", layers + "1.self_attn.k_proj.weight"}) {
    SCOPED_TRACE(name);
    const torch::Tensor weight = model.tensors().at(name);
    const torch::Tensor leaf = weight.clone().requires_grad_();
    loss(name, leaf).backward();
    const torch::Tensor gradient = leaf.grad();
    const double norm = gradient.norm().item<double>();
    ASSERT_GT(norm, 1e-3);

    torch::NoGradGuard no_grad;
    const auto check = [&](const torch::Tensor& direction, double step) {
      const double expected = (gradient * direction).sum().item<double>();
      const double slope =
          (loss(name, weight + step * direction) - loss(name, weight - step * direction)).item<double>() /
          (2 * step);
      EXPECT_NEAR(slope, expected, .02 * std::abs(expected) + .003 * norm + 1e-4);
    };
    check(gradient / norm, .005);
    // A part of the gradient that is missing shows only in another direction.
    torch::manual_seed(32);
    const torch::Tensor random = torch::randn_like(weight);
    check(random / random.norm(), std::min(.1, .01 * std::sqrt(static_cast<double>(weight.numel()))));
  }
}

TEST(Gradients, ReachEveryGenerationWeightAndOnlyWhatAsksForThem) {
  TensorMap tensors = CloneTensors(TinyBagel().tensors());
  for (auto& [name, tensor] : tensors) {
    if (IsGeneration(name)) tensor.requires_grad_();
  }
  const Bagel model = *Bagel::Create(TinyConfig(), tensors, "test");
  VelocityOf(model, model.PrefillPrompt({10, 11})).square().sum().backward();
  for (const auto& [name, tensor] : tensors) {
    if (IsGeneration(name)) {
      ASSERT_TRUE(tensor.grad().defined()) << name;
      EXPECT_GT(tensor.grad().abs().max().item<double>(), 0) << name;
    } else {
      EXPECT_FALSE(tensor.grad().defined()) << name;
    }
  }
}

// --- New weights.

TEST(WithTensors, ReplacesWhatIsNamedAndSharesTheRest) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const torch::Tensor before = VelocityOf(model, KvCache());
  const torch::Tensor bias = model.tensors().at("llm2vae.bias");
  const auto shifted = model.WithTensors({{"llm2vae.bias", bias + 1}}, "version 7");
  ASSERT_TRUE(shifted.ok()) << shifted.status();
  EXPECT_TRUE(Close(VelocityOf(*shifted, KvCache()), before + 1));
  EXPECT_TRUE(torch::equal(VelocityOf(model, KvCache()), before));
  EXPECT_EQ(shifted->tensors().at("llm2vae.weight").data_ptr(),
            model.tensors().at("llm2vae.weight").data_ptr());
}

TEST(WithTensors, NamesTheTensorThatDoesNotFit) {
  const Bagel model = TinyBagel();
  for (const auto& [name, tensor] :
       {std::pair<std::string, torch::Tensor>{"llm2vae.gain", torch::zeros({4})},  // no such tensor
        {"llm2vae.bias", torch::zeros({5})},                                       // another size
        {"llm2vae.weight", torch::zeros({32, 4})},                                 // transposed
        {"vae2llm.bias", torch::zeros({32}, torch::kInt64)}}) {                    // integers
    const absl::Status status = model.WithTensors({{name, tensor}}, "weights of version 7").status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("weights of version 7"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("the tensor " + name + " does not fit"));
  }
}

TEST(Create, NamesMissingUnexpectedAndMisshapenTensorsAndIntegers) {
  const TensorMap good = TinyBagel().tensors();
  const auto refusal = [&](const std::function<void(TensorMap&)>& damage) {
    TensorMap tensors = good;
    damage(tensors);
    const absl::Status status = Bagel::Create(TinyConfig(), tensors, "the file").status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refusal([](TensorMap& t) { t.erase("connector.fc1.bias"); }),
              HasSubstr("missing tensors 1 (connector.fc1.bias)"));
  EXPECT_THAT(refusal([](TensorMap& t) { t["extra"] = torch::zeros({1}); }),
              HasSubstr("unexpected tensors 1 (extra)"));
  EXPECT_THAT(refusal([](TensorMap& t) {
                t["llm2vae.bias"] = torch::zeros({2, 2});
              }),
              HasSubstr("llm2vae.bias [2,2] instead of [4]"));
  EXPECT_THAT(refusal([](TensorMap& t) { t["llm2vae.bias"] = torch::zeros({4}, torch::kInt32); }),
              HasSubstr("llm2vae.bias has dtype I32"));
}

}  // namespace
}  // namespace lvrpo
