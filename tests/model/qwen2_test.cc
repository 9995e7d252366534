#include "model/qwen2.h"

#include <functional>

#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Qwen2Config TinyQwen(bool tied) {
  return {.hidden = 24, .mlp = 40, .layers = 2, .heads = 6, .kv_heads = 2, .vocabulary = 50, .tied = tied};
}

Qwen2 MakeQwen(bool tied = false) {
  TensorMap tensors = Qwen2::RandomInit(TinyQwen(tied), 5);
  Scramble(tensors, 6);
  return *Qwen2::Create(TinyQwen(tied), tensors, "test");
}

torch::Tensor RandomIds(int64_t batch, int64_t tokens) {
  torch::manual_seed(9);
  return torch::randint(50, {batch, tokens}, torch::kInt64);
}

TEST(Qwen2, IsCausal) {
  const Qwen2 model = MakeQwen();
  const torch::Tensor ids = RandomIds(1, 6);
  torch::Tensor other = ids.clone();
  other[0][4] = (ids[0][4] + 1) % 50;
  KvCache a, b;
  const torch::Tensor first = model.Append(a, ids), second = model.Append(b, other);
  EXPECT_TRUE(torch::equal(first.narrow(1, 0, 4), second.narrow(1, 0, 4)));
  EXPECT_FALSE(torch::allclose(first.narrow(1, 4, 1), second.narrow(1, 4, 1)));
}

TEST(Qwen2, TokenByTokenGivesWhatOnePassGives) {
  const Qwen2 model = MakeQwen();
  const torch::Tensor ids = RandomIds(2, 7);
  KvCache whole, parts;
  const torch::Tensor expected = model.Append(whole, ids);
  std::vector<torch::Tensor> hidden = {model.Append(parts, ids.narrow(1, 0, 3))};
  for (int64_t t = 3; t < 7; ++t) hidden.push_back(model.Append(parts, ids.narrow(1, t, 1)));
  EXPECT_TRUE(Close(torch::cat(hidden, 1), expected));
  EXPECT_EQ(parts.length(), 7);
  EXPECT_TRUE(torch::equal(parts.next_position, torch::full({2}, 7, torch::kInt64)));
}

// Rows of several lengths, padded on the left, then continued together: each as if it were alone.
TEST(Qwen2, PaddingOnTheLeftChangesNothing) {
  const Qwen2 model = MakeQwen();
  const std::vector<int64_t> lengths = {5, 2, 1};
  const torch::Tensor ids = RandomIds(3, 5), next = RandomIds(3, 2);
  const torch::Tensor real =
      torch::arange(5).unsqueeze(0) >= (5 - torch::tensor(lengths, torch::kInt64)).unsqueeze(1);
  KvCache cache;
  const torch::Tensor hidden = model.Append(cache, ids, real);
  ASSERT_FALSE(hidden.isnan().any().item<bool>());
  const torch::Tensor more = model.Append(cache, next);
  EXPECT_TRUE(torch::equal(cache.next_position, torch::tensor(lengths, torch::kInt64) + 2));
  for (int64_t row = 0; row < 3; ++row) {
    const int64_t length = lengths[static_cast<size_t>(row)];
    KvCache alone;
    const torch::Tensor own = ids[row].narrow(0, 5 - length, length).unsqueeze(0);
    EXPECT_TRUE(Close(hidden[row].narrow(0, 5 - length, length), model.Append(alone, own)[0])) << row;
    EXPECT_TRUE(Close(more[row], model.Append(alone, next[row].unsqueeze(0))[0])) << row;
  }
}

TEST(Qwen2, GradientsReachEveryWeight) {
  const Qwen2 model = MakeQwen(/*tied=*/true);
  for (const auto& [name, tensor] : model.tensors()) torch::Tensor(tensor).set_requires_grad(true);
  KvCache cache;
  model.Logits(model.Append(cache, RandomIds(2, 5))).square().sum().backward();
  for (const auto& [name, tensor] : model.tensors()) {
    ASSERT_TRUE(tensor.grad().defined()) << name;
    // Keys' biases shift all scores of a query alike before RoPE rotates them: small but not zero.
    EXPECT_GT(tensor.grad().abs().sum().item<double>(), 0) << name;
  }
}

// --- Folders.

void Save(const TemporaryFolder& folder, const Qwen2& model) {
  ASSERT_TRUE(WriteFileAtomic(folder / "config.json", model.config().ToJson().dump()).ok());
  ASSERT_TRUE(SaveTensors(folder / "model.safetensors", model.tensors()).ok());
}

TEST(Qwen2Load, ReadsBackTiedAndUntiedModelsInEveryDtype) {
  for (const bool tied : {false, true}) {
    const TemporaryFolder folder;
    const Qwen2 saved = MakeQwen(tied);
    Save(folder, saved);
    const auto loaded = Qwen2::Load(folder.path());
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(DigestOf(loaded->tensors()), DigestOf(saved.tensors()));
    EXPECT_EQ(loaded->tensors().contains("lm_head.weight"), !tied);
    const auto narrow = Qwen2::Load(folder.path(), {.dtype = torch::kBFloat16});
    ASSERT_TRUE(narrow.ok()) << narrow.status();
    KvCache a, b;
    const torch::Tensor ids = RandomIds(1, 5);
    const torch::Tensor hidden = narrow->Append(a, ids);
    EXPECT_EQ(hidden.scalar_type(), torch::kBFloat16);
    EXPECT_TRUE(Close(narrow->Logits(hidden), saved.Logits(saved.Append(b, ids)), 0.05));
  }
}

TEST(Qwen2Load, DropsTheHeadOfATiedModelThatStoresOne) {
  const TemporaryFolder folder;
  const Qwen2 saved = MakeQwen(/*tied=*/true);
  Save(folder, saved);
  TensorMap tensors = saved.tensors();
  tensors["lm_head.weight"] = tensors.at("model.embed_tokens.weight");
  ASSERT_TRUE(SaveTensors(folder / "model.safetensors", tensors).ok());
  EXPECT_EQ(DigestOf(Qwen2::Load(folder.path())->tensors()), DigestOf(saved.tensors()));
}

TEST(Qwen2Load, RefusesMixedDtypesUnlessOneIsAsked) {
  const TemporaryFolder folder;
  const Qwen2 saved = MakeQwen();
  Save(folder, saved);
  TensorMap tensors = saved.tensors();
  tensors["model.norm.weight"] = tensors.at("model.norm.weight").to(torch::kBFloat16);
  ASSERT_TRUE(SaveTensors(folder / "model.safetensors", tensors).ok());
  EXPECT_TRUE(Qwen2::Load(folder.path()).ok());
  const absl::Status status = Qwen2::Load(folder.path(), {.dtype = std::nullopt}).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("model.norm.weight is BF16"));
}

TEST(Qwen2Load, NamesWhatIsWrongWithAFolder) {
  using Change = std::function<void(nlohmann::json&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"model of type bagel", [](nlohmann::json& j) { j["model_type"] = "bagel"; }},
      {"model of type siglip", [](nlohmann::json& j) { j["model_type"] = "siglip"; }},
      {"hidden_size is missing", [](nlohmann::json& j) { j.erase("hidden_size"); }},
      {"vocab_size is \"many\"", [](nlohmann::json& j) { j["vocab_size"] = "many"; }},
      {"use_sliding_window is true", [](nlohmann::json& j) { j["use_sliding_window"] = true; }},
      {"hidden_act is \"gelu\"", [](nlohmann::json& j) { j["hidden_act"] = "gelu"; }},
      {"out of range or inconsistent", [](nlohmann::json& j) { j["num_key_value_heads"] = 4; }},
      {"not a JSON object", [](nlohmann::json& j) { j = nlohmann::json::array(); }},
  };
  for (const auto& [words, change] : changes) {
    const TemporaryFolder folder;
    Save(folder, MakeQwen());
    nlohmann::json json = MakeQwen().config().ToJson();
    change(json);
    ASSERT_TRUE(WriteFileAtomic(folder / "config.json", json.dump()).ok());
    const absl::Status status = Qwen2::Load(folder.path()).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("config.json"), HasSubstr(words)));
  }
  // An untied configuration over a tied model's weights.
  const TemporaryFolder folder;
  Save(folder, MakeQwen(/*tied=*/true));
  ASSERT_TRUE(WriteFileAtomic(folder / "config.json", MakeQwen(false).config().ToJson().dump()).ok());
  const absl::Status status = Qwen2::Load(folder.path()).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("missing tensors 1 (lm_head.weight)"));
}

}  // namespace
}  // namespace lvrpo
