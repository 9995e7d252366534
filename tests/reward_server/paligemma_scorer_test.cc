#include "reward_server/scorers/paligemma_scorer.h"

#include <cmath>

#include "common/config/config.h"
#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reward_server/load_scorers.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

class PaliGemmaScorerTest : public ::testing::Test {
 protected:
  PaliGemmaScorerTest() {
    PaliGemmaConfig config;
    config.vision = {.width = 16, .layers = 1, .heads = 2, .mlp = 24};
    config.image_size = 8, config.patch_size = 4;
    config.text = {
        .hidden = 20, .mlp = 28, .layers = 1, .heads = 2, .kv_heads = 1, .vocabulary = 40, .head_dim = 6};
    TensorMap tensors = PaliGemma::RandomInit(config, 5);
    Scramble(tensors, 6);
    model_ = *PaliGemma::Create(config, tensors, "test");
    // A letter is a token.
    nlohmann::json file;
    file["added_tokens"] = {{{"id", 0}, {"content", "<bos>"}, {"special", true}},
                            {{"id", 1}, {"content", "<eos>"}, {"special", true}}};
    file["model"]["type"] = "BPE";
    file["model"]["vocab"] = {{"<bos>", 0}, {"<eos>", 1}, {"\n", 2}, {" ", 3}};
    for (int c = 0; c < 26; ++c) file["model"]["vocab"][std::string(1, static_cast<char>('a' + c))] = 4 + c;
    file["model"]["merges"] = nlohmann::json::array();
    EXPECT_TRUE(WriteFileAtomic(folder_ / "tokenizer.json", file.dump()).ok());
    group_.prompt.set_id("p");
    group_.prompt.set_task(v1::TASK_KIND_IMAGE);
    for (const uint8_t value : {20, 200})
      group_.images.push_back({10, 8, std::vector<uint8_t>(10 * 8 * 3, value)});
  }
  std::unique_ptr<Tokenizer> LoadLetters() {
    auto tokenizer = LoadTokenizer(folder_.path(), {.add_control_tokens = false});
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
    return *std::move(tokenizer);
  }
  PaliGemmaScorer Make() {
    return PaliGemmaScorer(*model_, LoadLetters(), {.filter = ResizeFilter::kBicubic});
  }
  void Ask(const std::string& text, const std::string& answer, const std::vector<std::string>& choices) {
    v1::Question& question = *group_.prompt.add_questions();
    question.set_text(text);
    question.set_answer(answer);
    for (const std::string& choice : choices) question.add_choices(choice);
  }

  const TemporaryFolder folder_;
  std::optional<PaliGemma> model_;
  ScoringGroup group_;
};

TEST_F(PaliGemmaScorerTest, IsTheRightAnswersPartOfTheChoicesAsAMeanOverQuestions) {
  PaliGemmaScorer scorer = Make();
  const auto value = [&](const std::string& answer) {
    group_.prompt.clear_questions();
    Ask("is it so", answer, {"yes", "no"});
    const auto scores = scorer.ScoreGroup(group_);
    EXPECT_TRUE(scores.ok()) << scores.status();
    return (*scores)[1].value;
  };
  const float yes = value("yes"), no = value("no");
  EXPECT_NEAR(yes + no, 1, 1e-5);
  Ask("is it so", "yes", {"yes", "no"});
  EXPECT_NEAR((*scorer.ScoreGroup(group_))[1].value, .5, 1e-5);
  // Sooner or later a random model says anything: the choices have next to nothing.
  EXPECT_THAT((*scorer.ScoreGroup(group_))[1].detail, HasSubstr("would rather say something else"));
}

TEST_F(PaliGemmaScorerTest, AChoiceIsItsTokensAndTheEndAfterThem) {
  const torch::NoGradGuard no_grad;
  Ask("a", "c", {"b", "c"});
  group_.images.resize(1);
  const float got = (*Make().ScoreGroup(group_))[0].value;
  const auto tokenizer = LoadLetters();
  const torch::Tensor image = model_->ImageTokens(torch::full({1, 3, 8, 8}, 20 / 127.5 - 1));
  const auto prefix_ids = *PaliGemmaPrefixIds(*tokenizer, "answer en a");
  EXPECT_EQ(prefix_ids.front(), 0);
  const torch::Tensor ids = torch::tensor(prefix_ids, torch::kInt64).unsqueeze(0);
  const auto prefix =
      model_->ReadPrefix(image, ids, torch::tensor({static_cast<int64_t>(prefix_ids.size())}, torch::kInt64));
  const auto probability = [&](int64_t letter) {
    return std::exp(model_->SuffixLogProbs(prefix, torch::tensor({{letter, int64_t{1}}}, torch::kInt64))
                        .sum()
                        .item<double>());
  };
  const double b = probability(5), c = probability(6);
  EXPECT_NEAR(got, c / (b + c), 1e-4);
}

TEST_F(PaliGemmaScorerTest, SaysWhichQuestionCannotBeAsked) {
  Ask("is it so", "perhaps", {"yes", "no"});
  const absl::Status status = Make().ScoreGroup(group_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("question \"is it so\": its answer is not among"));
}

TEST_F(PaliGemmaScorerTest, ItsDigestNamesWeightsAndTokenizer) {
  PaliGemmaScorer scorer = Make();
  EXPECT_EQ(scorer.digest(), scorer.ComputeDigest());
  TensorMap tensors = model_->tensors();
  tensors.begin()->second.add_(1);
  EXPECT_NE(scorer.digest(), scorer.ComputeDigest());
}

TEST_F(PaliGemmaScorerTest, IsWhatAFolderOfThatTypeIsLoadedAs) {
  nlohmann::json json = model_->config().ToJson();
  ASSERT_EQ(json["model_type"], "paligemma");
  ASSERT_TRUE(WriteFileAtomic(folder_ / "config.json", json.dump()).ok());
  ASSERT_TRUE(SaveTensors(folder_ / "model.safetensors", model_->tensors()).ok());
  absl::StatusOr<LoadedConfig> config = LoadRunConfig("configs/shapes.yaml", {"model.vqa=" + folder_.path()});
  ASSERT_TRUE(config.ok()) << config.status();
  Metrics metrics;
  const auto scorers = LoadScorers(config->config, metrics);
  ASSERT_TRUE(scorers.ok()) << scorers.status();
  EXPECT_EQ((*scorers)->Digests().at("knowledge"), Make().digest());
  // Its processor's filter is another one's answer.
  ASSERT_TRUE(WriteFileAtomic(folder_ / "preprocessor_config.json", R"({"resample": 2})").ok());
  EXPECT_NE((*PaliGemmaScorer::Load(folder_.path()))->digest(), Make().digest());
  ASSERT_TRUE(WriteFileAtomic(folder_ / "preprocessor_config.json", R"({"resample": 9})").ok());
  const absl::Status status = PaliGemmaScorer::Load(folder_.path()).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("preprocessor_config.json"));
}

}  // namespace
}  // namespace lvrpo
