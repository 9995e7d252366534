#include "model/paligemma.h"

#include <cmath>
#include <functional>

#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

PaliGemmaConfig TinyPaliGemmaConfig() {
  PaliGemmaConfig config;
  config.vision = {.width = 16, .layers = 2, .heads = 2, .mlp = 24};
  config.image_size = 9, config.patch_size = 4;  // 2 x 2 patches; a row and a column of pixels are left
  config.text = {
      .hidden = 20, .mlp = 28, .layers = 2, .heads = 4, .kv_heads = 2, .vocabulary = 40, .head_dim = 6};
  return config;
}

PaliGemma TinyPaliGemma() {
  TensorMap tensors = PaliGemma::RandomInit(TinyPaliGemmaConfig(), 5);
  Scramble(tensors, 6);
  return *PaliGemma::Create(TinyPaliGemmaConfig(), tensors, "test");
}

torch::Tensor Pixels(int64_t images) {
  torch::manual_seed(41);
  return torch::rand({images, 3, 9, 9}) * 2 - 1;
}

torch::Tensor Lengths(const std::vector<int64_t>& lengths) { return torch::tensor(lengths, torch::kInt64); }

// --- Gemma.

GemmaConfig TinyGemmaConfig() { return TinyPaliGemmaConfig().text; }

Gemma TinyGemma(TensorMap* made = nullptr) {
  ShapeMap shapes;
  Gemma::AddShapes(shapes, TinyGemmaConfig(), "");
  TensorMap tensors;
  torch::manual_seed(3);
  for (const auto& [name, shape] : shapes) tensors[name] = torch::randn(shape) * .3;
  if (made != nullptr) *made = tensors;
  return Gemma(TinyGemmaConfig(), tensors, "");
}

TEST(Gemma, EmbedsTimesTheRootOfItsWidth) {
  TensorMap tensors;
  const Gemma model = TinyGemma(&tensors);
  EXPECT_TRUE(Close(model.Embed(Ids({7, 3})),
                    tensors.at("model.embed_tokens.weight").index_select(0, Lengths({7, 3})).unsqueeze(0) *
                        std::sqrt(20.0)));
}

// One token attends to itself alone, so that a layer is what can be written down without RoPE.
TEST(Gemma, OfOneTokenFollowsItsDefinition) {
  torch::NoGradGuard no_grad;
  TensorMap t;
  const Gemma model = TinyGemma(&t);
  const auto norm = [&](const torch::Tensor& x, const std::string& name) {
    return x / (x.square().mean() + 1e-6).sqrt() * (1 + t.at(name));
  };
  const torch::Tensor in = model.Embed(Ids({9}));
  torch::Tensor x = in[0][0];
  for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
    const auto product = [&](const std::string& name, const torch::Tensor& y) {
      return torch::mv(t.at(layer + name + ".weight"), y);
    };
    const torch::Tensor value = product("self_attn.v_proj", norm(x, layer + "input_layernorm.weight"));
    // Query heads 0, 1 read kv head 0; heads 2, 3 read kv head 1.
    const torch::Tensor heads = value.view({2, 6}).repeat_interleave(2, 0).flatten();
    x = x + product("self_attn.o_proj", heads);
    const torch::Tensor y = norm(x, layer + "post_attention_layernorm.weight");
    x = x +
        product("mlp.down_proj", at::gelu(product("mlp.gate_proj", y), "tanh") * product("mlp.up_proj", y));
  }
  x = norm(x, "model.norm.weight");
  KvCache cache;
  const torch::Tensor hidden = model.Append(cache, in, Ids({5}), {});
  EXPECT_TRUE(Close(hidden[0][0], x));
  EXPECT_TRUE(Close(model.Logits(hidden)[0][0], torch::mv(t.at("model.embed_tokens.weight"), x)));
}

TEST(Gemma, SeesDistancesAndNotPositions) {
  torch::NoGradGuard no_grad;
  const Gemma model = TinyGemma();
  const auto run = [&](const std::vector<int64_t>& positions) {
    KvCache cache;
    return model.Append(cache, model.Embed(Ids({4, 8, 15})), Ids(positions), {});
  };
  const torch::Tensor expected = run({0, 1, 2});
  EXPECT_TRUE(Close(run({40, 41, 42}), expected));
  EXPECT_FALSE(Close(run({0, 2, 4}), expected, 1e-3));
}

// --- The prefix.

TEST(PaliGemmaPrefix, IsReadBothWays) {
  torch::NoGradGuard no_grad;
  const PaliGemma model = TinyPaliGemma();
  const torch::Tensor image = model.ImageTokens(Pixels(1));
  ASSERT_EQ(image.sizes(), torch::IntArrayRef({1, 4, 20}));
  const PaliGemma::Prefix prefix = model.ReadPrefix(image, Ids({2, 7, 8, 9}), Lengths({4}));
  ASSERT_EQ(prefix.cache.length(), 8);
  EXPECT_TRUE(torch::equal(prefix.cache.next_position, Lengths({9})));
  // The last layer's keys are made of what the tokens have seen: all of them see the last one.
  const PaliGemma::Prefix other = model.ReadPrefix(image, Ids({2, 7, 8, 10}), Lengths({4}));
  const torch::Tensor moved = (other.cache.keys[1] - prefix.cache.keys[1]).abs().amax({0, 1, 3});
  EXPECT_GT(moved.min().item<double>(), 0);
}

TEST(PaliGemmaPrefix, TextIsScaledAndTheImageIsNot) {
  torch::NoGradGuard no_grad;
  const PaliGemma model = TinyPaliGemma();
  // An image whose tokens are embedded words reads as those words.
  const Gemma text(model.config().text, model.tensors(), "language_model.");
  const torch::Tensor words = text.Embed(Ids({2, 7, 8, 9}));
  KvCache cache;
  const torch::Tensor hidden =
      text.Append(cache, text.Embed(Ids({2, 7, 8, 9, 11, 12})), torch::arange(1, 7).unsqueeze(0), {});
  const PaliGemma::Prefix prefix = model.ReadPrefix(words, Ids({11, 12}), Lengths({2}));
  EXPECT_TRUE(Close(prefix.hidden, hidden.select(1, 5)));
}

TEST(PaliGemmaPrefix, PaddingAndOtherRowsChangeNothing) {
  torch::NoGradGuard no_grad;
  const PaliGemma model = TinyPaliGemma();
  const torch::Tensor images = model.ImageTokens(Pixels(3));
  const torch::Tensor ids =
      torch::cat({Ids({2, 7, 0, 0, 0}), Ids({2, 8, 9, 10, 11}), Ids({2, 12, 13, 5, 5})});
  const torch::Tensor answers = torch::cat({Ids({20, 21, 1}), Ids({22, 1, 0}), Ids({23, 24, 1})});
  const std::vector<int64_t> lengths = {2, 5, 3};
  const PaliGemma::Prefix all = model.ReadPrefix(images, ids, Lengths(lengths));
  const torch::Tensor log_probs = model.SuffixLogProbs(all, answers, Lengths({3, 2, 3}));
  ASSERT_EQ(log_probs.sizes(), torch::IntArrayRef({3, 3}));
  EXPECT_EQ(log_probs[1][2].item<double>(), 0);
  for (int64_t row = 0; row < 3; ++row) {
    const int64_t length = lengths[static_cast<size_t>(row)];
    const PaliGemma::Prefix alone =
        model.ReadPrefix(model.ImageTokens(Pixels(3).narrow(0, row, 1)),
                         ids.narrow(0, row, 1).narrow(1, 0, length), Lengths({length}));
    EXPECT_TRUE(Close(all.hidden.narrow(0, row, 1), alone.hidden)) << row;
    const torch::Tensor own = model.SuffixLogProbs(alone, answers.narrow(0, row, 1));
    const int64_t counted = row == 1 ? 2 : 3;
    EXPECT_TRUE(Close(log_probs[row].narrow(0, 0, counted), own[0].narrow(0, 0, counted))) << row;
  }
}

TEST(PaliGemmaPrefix, OneImageServesSeveralQuestions) {
  torch::NoGradGuard no_grad;
  const PaliGemma model = TinyPaliGemma();
  const torch::Tensor image = model.ImageTokens(Pixels(1));
  const torch::Tensor ids = torch::cat({Ids({2, 7, 9}), Ids({2, 8, 9})});
  const PaliGemma::Prefix once = model.ReadPrefix(image, ids, Lengths({3, 3})),
                          twice = model.ReadPrefix(torch::cat({image, image}), ids, Lengths({3, 3}));
  EXPECT_TRUE(torch::equal(once.hidden, twice.hidden));
}

TEST(PaliGemmaPrefixIds, BeginWithBosAndEndWithALineEnd) {
  const TemporaryFolder folder;
  const auto load = [&](const char* added) {
    nlohmann::json file;
    file["added_tokens"] = {{{"id", 0}, {"content", added}, {"special", true}}};
    file["model"]["type"] = "BPE";
    file["model"]["vocab"] = {{added, 0}, {"a", 1}, {"b", 2}, {"\n", 3}};
    file["model"]["merges"] = nlohmann::json::array();
    EXPECT_TRUE(WriteFileAtomic(folder / "tokenizer.json", file.dump()).ok());
    return LoadTokenizer(folder.path(), {.add_control_tokens = false});
  };
  const auto tokenizer = load("<bos>");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT(*PaliGemmaPrefixIds(**tokenizer, "ab"), ::testing::ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(*PaliGemmaPrefixIds(**tokenizer, ""), ::testing::ElementsAre(0, 3));
  const auto other = load("<start>");
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_TRUE(absl::IsFailedPrecondition(PaliGemmaPrefixIds(**other, "ab").status()));
}

// --- Answers.

TEST(PaliGemmaSuffix, IsScoredTokenByToken) {
  torch::NoGradGuard no_grad;
  const PaliGemma model = TinyPaliGemma();
  const torch::Tensor image = model.ImageTokens(Pixels(1)), question = Ids({2, 7, 8, 9});
  const PaliGemma::Prefix prefix = model.ReadPrefix(image, question, Lengths({4}));
  const torch::Tensor got = model.SuffixLogProbs(prefix, Ids({20, 21, 1}));
  // From one pass over everything, with the mask written out: row sees column.
  const Gemma text(model.config().text, model.tensors(), "language_model.");
  torch::Tensor mask = torch::ones({1, 10, 10}, torch::kBool).tril();
  mask.narrow(1, 0, 8).narrow(2, 0, 8).fill_(true);
  KvCache cache;
  const torch::Tensor hidden =
      text.Append(cache, torch::cat({image, text.Embed(Ids({2, 7, 8, 9, 20, 21}))}, 1),
                  torch::arange(1, 11).unsqueeze(0), mask);
  const torch::Tensor log_probs = torch::log_softmax(text.Logits(hidden), -1)[0];
  EXPECT_TRUE(Close(got[0], torch::stack({log_probs[7][20], log_probs[8][21], log_probs[9][1]})));
  // The first token alone needs no more than the prefix.
  EXPECT_TRUE(Close(model.SuffixLogProbs(prefix, Ids({20})), got.narrow(1, 0, 1)));
}

TEST(PaliGemmaSuffix, IsScoredInBf16) {
  torch::NoGradGuard no_grad;
  const PaliGemma model = TinyPaliGemma();
  TensorMap tensors = model.tensors();
  for (auto& [name, tensor] : tensors) tensor = tensor.to(torch::kBFloat16);
  const PaliGemma narrow = *PaliGemma::Create(model.config(), tensors, "test");
  const auto score = [](const PaliGemma& of, const torch::Tensor& pixels) {
    const PaliGemma::Prefix prefix = of.ReadPrefix(of.ImageTokens(pixels), Ids({2, 7, 9}), Lengths({3}));
    return of.SuffixLogProbs(prefix, Ids({20, 21, 1}));
  };
  const torch::Tensor got = score(narrow, Pixels(1).to(torch::kBFloat16));
  EXPECT_EQ(got.scalar_type(), torch::kFloat32);
  EXPECT_TRUE(Close(got, score(model, Pixels(1)), .1));
}

// --- Configuration and files.

TEST(PaliGemmaConfig, ReadsBackWhatItWrites) {
  const PaliGemmaConfig config = TinyPaliGemmaConfig();
  const auto back = PaliGemmaConfig::FromJson(config.ToJson(), "test");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->ToJson(), config.ToJson());
  EXPECT_EQ(PaliGemma::ExpectedTensors(*back), PaliGemma::ExpectedTensors(config));
}

TEST(PaliGemmaConfig, HasTheReferencesDefaultsWhereKeysAreAbsent) {
  nlohmann::json json = TinyPaliGemmaConfig().ToJson();
  json["vision_config"] = {{"patch_size", 14}};
  json["text_config"].erase("head_dim");
  const auto config = PaliGemmaConfig::FromJson(json, "test");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->image_tokens(), 256);  // 224 pixels
  EXPECT_EQ(config->vision.width, 768);
  EXPECT_EQ(config->text.head_dim, 256);
}

TEST(PaliGemmaConfig, RefusesWhatMakesNoModel) {
  using Edit = std::function<void(nlohmann::json&)>;
  const std::vector<std::pair<std::string, Edit>> damages = {
      {"type llava", [](nlohmann::json& j) { j["model_type"] = "llava"; }},
      {"model_type is \"gemma2\"", [](nlohmann::json& j) { j["text_config"]["model_type"] = "gemma2"; }},
      {"text_config is missing", [](nlohmann::json& j) { j.erase("text_config"); }},
      {"vocab_size is missing", [](nlohmann::json& j) { j["text_config"].erase("vocab_size"); }},
      {"hidden_activation is \"gelu\"",
       [](nlohmann::json& j) { j["text_config"]["hidden_activation"] = "gelu"; }},
      {"rope_scaling",
       [](nlohmann::json& j) {
         j["text_config"]["rope_scaling"] = {{"factor", 2}};
       }},
      {"num_key_value_heads 3", [](nlohmann::json& j) { j["text_config"]["num_key_value_heads"] = 3; }},
      {"vision_use_head is true", [](nlohmann::json& j) { j["vision_config"]["vision_use_head"] = true; }},
      {"projection_dim is 16; supported: 20",
       [](nlohmann::json& j) { j["vision_config"]["projection_dim"] = 16; }},
      {"vision_config: sizes out of range",
       [](nlohmann::json& j) { j["vision_config"]["num_attention_heads"] = 5; }},
      {"does not fit image_size 3", [](nlohmann::json& j) { j["vision_config"]["image_size"] = 3; }},
  };
  for (const auto& [words, edit] : damages) {
    nlohmann::json json = TinyPaliGemmaConfig().ToJson();
    edit(json);
    const absl::Status status = PaliGemmaConfig::FromJson(json, "the file").status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << json << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("the file"), HasSubstr(words)));
  }
}

TEST(PaliGemma, LoadsAPublishedFolderAndNamesTheTensorThatIsMissing) {
  const TemporaryFolder folder;
  EXPECT_TRUE(absl::IsNotFound(PaliGemma::Load(folder.path()).status()));
  const PaliGemma model = TinyPaliGemma();
  TensorMap stored = model.tensors();
  stored["language_model.lm_head.weight"] = stored.at("language_model.model.embed_tokens.weight").clone();
  ASSERT_TRUE(WriteFileAtomic(folder / "config.json", model.config().ToJson().dump()).ok());
  ASSERT_TRUE(SaveTensors(folder / "model.safetensors", stored).ok());
  const auto loaded = PaliGemma::Load(folder.path());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(DigestOf(loaded->tensors()), DigestOf(model.tensors()));
  stored.erase("multi_modal_projector.linear.bias");
  ASSERT_TRUE(SaveTensors(folder / "model.safetensors", stored).ok());
  const absl::Status incomplete = PaliGemma::Load(folder.path()).status();
  EXPECT_TRUE(absl::IsDataLoss(incomplete)) << incomplete;
  EXPECT_THAT(std::string(incomplete.message()), HasSubstr("multi_modal_projector.linear.bias"));
}

}  // namespace
}  // namespace lvrpo
