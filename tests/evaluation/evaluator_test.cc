#include "evaluation/evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "data/image/png.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Evaluations by the example's policy, with fewer denoising steps.
class Evaluation : public ::testing::Test {
 protected:
  static const v1::RunConfig& Example() {
    static const v1::RunConfig* const config =
        new v1::RunConfig(LoadRunConfig("configs/shapes.yaml", {})->config);
    return *config;
  }
  static const EvaluatedPolicy& Policy() {
    static const EvaluatedPolicy* const policy = new EvaluatedPolicy(*LoadEvaluatedPolicy(Example(), ""));
    return *policy;
  }
  Evaluation() : config_(Example()) {
    config_.mutable_evaluation()->set_timesteps(4);
    config_.mutable_rollout()->set_max_text_tokens(4);
    const RgbImage white = {64, 64, std::vector<uint8_t>(64 * 64 * 3, 255)};
    EXPECT_TRUE(WritePng(folder_ / "white.png", white).ok());
  }

  std::vector<HeldOutPrompt> Prompts(const std::string& lines, v1::TaskKind task, int per_kind = 100) const {
    auto prompts = ReadHeldOut(config_, Policy(), task, folder_.Write("p.jsonl", lines), per_kind);
    EXPECT_TRUE(prompts.ok()) << prompts.status();
    return *prompts;
  }
  std::vector<EvaluatedImage> Images(const std::vector<HeldOutPrompt>& prompts, int batch) {
    config_.mutable_evaluation()->set_batch(batch);
    auto images = EvaluateImages(config_, Policy(), prompts, [this](size_t done) { done_.push_back(done); });
    EXPECT_TRUE(images.ok()) << images.status();
    return *std::move(images);
  }
  std::vector<AnswerJudgement> Answers(const std::vector<HeldOutPrompt>& prompts, int batch) {
    config_.mutable_evaluation()->set_batch(batch);
    auto answers = EvaluateAnswers(config_, Policy(), folder_ / "p.jsonl", prompts);
    EXPECT_TRUE(answers.ok()) << answers.status();
    return *std::move(answers);
  }

  const TemporaryFolder folder_;
  v1::RunConfig config_;
  std::vector<size_t> done_;
};

std::string Picture(const std::string& id, const std::string& kind = "k",
                    const std::string& text = "a red circle") {
  return absl::StrCat(R"({"id":")", id, R"(","task":"TASK_KIND_IMAGE","kind":")", kind, R"(","text":")", text,
                      R"(","constraints":{"objects":[{"shape":"circle","color":"red","count":2}]}})", "\n");
}

std::string Question(const std::string& id, const std::string& answer) {
  return absl::StrCat(R"({"id":")", id, R"(","task":"TASK_KIND_TEXT","kind":"k",)",
                      R"("text":"what color is the heart ?","source_image":"white.png","answer":")", answer,
                      "\"}\n");
}

// The largest difference of two images' values.
int Distance(const RgbImage& a, const RgbImage& b) {
  EXPECT_EQ(a.pixels.size(), b.pixels.size());
  int most = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i)
    most = std::max(most, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  return most;
}

TEST_F(Evaluation, AnImageDependsOnItsPlaceInTheFileAlone) {
  const std::string lines = Picture("a") + Picture("b") + Picture("c", "other");
  const auto all = Images(Prompts(lines, v1::TASK_KIND_IMAGE), 8);
  ASSERT_EQ(all.size(), 3u);
  // Fewer of each kind, as during training, and other batches.
  const auto some = Images(Prompts(lines, v1::TASK_KIND_IMAGE, 1), 1);
  ASSERT_EQ(some.size(), 2u);
  EXPECT_EQ(some[1].judgement.id, "c");
  EXPECT_LE(Distance(all[0].image, some[0].image), 1);
  EXPECT_LE(Distance(all[2].image, some[1].image), 1);
  // The same words at another place are another image.
  EXPECT_GT(Distance(all[0].image, all[1].image), 1);
  EXPECT_EQ(Distance(all[0].image, Images(Prompts(lines, v1::TASK_KIND_IMAGE), 8)[0].image), 0);
}

TEST_F(Evaluation, AnImageIsJudgedByItsOwnRecord) {
  const auto images = Images(Prompts(Picture("a", "x") + Picture("b", "y"), v1::TASK_KIND_IMAGE), 8);
  ASSERT_EQ(images.size(), 2u);
  const ImageJudgement& judgement = images[1].judgement;
  EXPECT_EQ(judgement.id, "b");
  EXPECT_EQ(judgement.kind, "y");
  EXPECT_EQ(judgement.prompt, "a red circle");
  EXPECT_EQ(judgement.objects_asked, 2);
  EXPECT_EQ(judgement.detected.size(), static_cast<size_t>(judgement.objects));
  EXPECT_EQ(judgement.colors.size(), static_cast<size_t>(judgement.objects));
}

TEST_F(Evaluation, TellsHowFarItIs) {
  const auto prompts = Prompts(Picture("a") + Picture("b") + Picture("c"), v1::TASK_KIND_IMAGE);
  Images(prompts, 2);
  EXPECT_THAT(done_, ElementsAre(2, 3));
  Images(prompts, 0);  // one at a time
  EXPECT_THAT(done_, ElementsAre(2, 3, 1, 2, 3));
}

TEST_F(Evaluation, OfNoPromptsIsNothing) {
  EXPECT_TRUE(Images({}, 4).empty());
  EXPECT_TRUE(Answers({}, 4).empty());
  EXPECT_TRUE(done_.empty());
}

TEST_F(Evaluation, AWordThatTheTokenizerLacksIsNamed) {
  std::vector<HeldOutPrompt> prompts = Prompts(Picture("a"), v1::TASK_KIND_IMAGE);
  prompts[0].record.set_text("a zeppelin");
  const absl::Status images = EvaluateImages(config_, Policy(), prompts, {}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(images));
  EXPECT_THAT(std::string(images.message()), AllOf(HasSubstr("held-out prompt a"), HasSubstr("zeppelin")));
  std::vector<HeldOutPrompt> questions = Prompts(Question("q", "red"), v1::TASK_KIND_TEXT);
  questions[0].record.set_answer("zeppelin");
  const absl::Status answers = EvaluateAnswers(config_, Policy(), folder_ / "p.jsonl", questions).status();
  EXPECT_THAT(std::string(answers.message()),
              AllOf(HasSubstr("answer of held-out question q"), HasSubstr("zeppelin")));
  questions[0].record.set_source_image("none.png");
  EXPECT_THAT(
      std::string(EvaluateAnswers(config_, Policy(), folder_ / "p.jsonl", questions).status().message()),
      HasSubstr("none.png"));
}

TEST_F(Evaluation, OnlyTheGreedyAnswerIsRight) {
  std::string lines;
  const std::vector<std::string> colors = {"red", "green", "blue", "yellow"};
  for (const std::string& color : colors) lines += Question(color, color);
  const auto questions = Prompts(lines, v1::TASK_KIND_TEXT);
  const auto answers = Answers(questions, 3), alone = Answers(questions, 1);
  ASSERT_EQ(answers.size(), colors.size());
  double sum = 0;
  int right = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(answers[i].id, colors[i]);
    EXPECT_GT(answers[i].probability, 0);
    EXPECT_EQ(answers[i].correct, alone[i].correct);
    EXPECT_NEAR(answers[i].probability, alone[i].probability, 1e-4);
    sum += answers[i].probability;
    right += answers[i].correct ? 1 : 0;
    if (answers[i].probability > 0.5) {
      EXPECT_TRUE(answers[i].correct) << colors[i];
    }
  }
  EXPECT_LE(sum, 1 + 1e-4);  // of one question's answers
  EXPECT_LE(right, 1);
}

TEST_F(Evaluation, LoadsTheRunsBasePolicyWithTheTrainedTensors) {
  const std::string weights = Example().model().policy() + "/ema.safetensors";
  const auto same = LoadEvaluatedPolicy(config_, weights);
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(same->weights_digest, Policy().weights_digest);
}

TEST_F(Evaluation, WeightsThatAreNotThisPolicysAreNamed) {
  const std::string none = folder_ / "none.safetensors",
                    text = folder_.Write("text.safetensors", "no weights"),
                    other = Example().model().policy() + "/ae.safetensors";
  for (const std::string& weights : {none, text, other}) {
    const absl::Status status = LoadEvaluatedPolicy(config_, weights).status();
    EXPECT_FALSE(status.ok()) << weights;
    EXPECT_THAT(std::string(status.message()), HasSubstr(weights));
  }
  config_.mutable_model()->set_policy(folder_.path());
  EXPECT_THAT(std::string(LoadEvaluatedPolicy(config_, "").status().message()), HasSubstr(folder_.path()));
}

}  // namespace
}  // namespace lvrpo
