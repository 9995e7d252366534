// The scorers that look through models, on a device that is no CPU.

#include "common/config/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/weights/moved.h"
#include "reward_server/scorers/grounding.h"
#include "reward_server/scorers/knowledge.h"
#include "reward_server/scorers/owlv2_detector.h"
#include "reward_server/scorers/paligemma_scorer.h"
#include "reward_server/scorers/pooled.h"
#include "shapes_world/scene.h"
#include "tests/device/moved.h"
#include "tests/testing/temporary_folder.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

const torch::Device kHost = torch::kCPU;

// One image with a circle, one with none of what is asked for.
ScoringGroup Group() {
  ScoringGroup group;
  group.prompt.set_id("p");
  group.prompt.set_text("a red circle");
  group.prompt.set_task(v1::TASK_KIND_IMAGE);
  group.prompt.add_key_phrases("a red circle");
  group.prompt.add_key_phrases("a blue square");
  for (const int color : {0, 2}) {
    shapes::Scene scene;
    scene.objects.push_back({.shape = 0, .color = color, .cell = 0, .x = 16, .y = 16, .radius = 10.5});
    group.images.push_back(shapes::Render(scene));
  }
  return group;
}

v1::RunConfig Example() { return LoadRunConfig("configs/shapes.yaml", {})->config; }

std::unique_ptr<Tokenizer> WordsOf(const std::string& folder) {
  return *LoadTokenizer(folder, {.lowercase = true, .add_control_tokens = false});
}

void ExpectSame(Scorer& host, Scorer& device, const ScoringGroup& group, const char* what) {
  EXPECT_EQ(device.digest(), host.digest()) << what;
  const auto want = host.ScoreGroup(group), got = device.ScoreGroup(group);
  ASSERT_TRUE(want.ok() && got.ok()) << want.status() << got.status();
  for (size_t i = 0; i < want->size(); ++i) EXPECT_NEAR((*got)[i].value, (*want)[i].value, 1e-4) << what;
}

TEST(ScoringOnADevice, GroundingAndThePooledScoreAreThoseOfACpu) {
  const std::string folder = Example().model().referee();
  using Options = GroundingOptions;
  for (const auto dense : {Options::Dense::kMapHead, Options::Dense::kBox}) {
    for (const auto form : {Options::Form::kCountAware, Options::Form::kMaxPatch}) {
      const auto scorer = [&](torch::Device device) {
        return *GroundingScorer::Create(*RefereeView::Load(folder, 64, device), WordsOf(folder),
                                        {.form = form, .dense = dense});
      };
      ExpectSame(*scorer(kHost), *scorer(TestDevice()), Group(), "grounding");
    }
  }
  const auto pooled = [&](torch::Device device) {
    return PooledScorer(*RefereeView::Load(folder, 64, device), WordsOf(folder));
  };
  PooledScorer host = pooled(kHost), device = pooled(TestDevice());
  ExpectSame(host, device, Group(), "pooled");
}

TEST(ScoringOnADevice, AReferenceOfAnySizeSeesImagesOfAnySize) {
  SiglipConfig config = TinySiglipConfig();
  config.naflex = true;
  config.num_patches = 9;
  const Siglip host = TinySiglip(config), device = *Siglip::Create(config, Moved(host.tensors()), "test");
  const torch::NoGradGuard no_grad;
  const auto pooled = [&](const Siglip& model) {
    return RefereeView(model, {}, 16)
        .Pooled(*RefereeView(model, {}, 16).Read({{20, 9, std::vector<uint8_t>(540, 60)}}));
  };
  EXPECT_TRUE(Close(pooled(device).cpu(), pooled(host), 1e-4));
}

TEST(ScoringOnADevice, KnowledgeIsThatOfACpu) {
  const std::string folder = Example().model().vqa();
  const auto scorer = [&](torch::Device device) {
    return KnowledgeScorer(*OnDevice(Bagel::Load(folder), device, folder), *LoadTokenizer(folder));
  };
  KnowledgeScorer host = scorer(kHost), device = scorer(TestDevice());
  ScoringGroup group = Group();
  const auto ask = [&](const std::string& text, const std::string& answer,
                       const std::vector<std::string>& choices) {
    v1::Question& question = *group.prompt.add_questions();
    question.set_text(text);
    question.set_answer(answer);
    for (const std::string& choice : choices) question.add_choices(choice);
  };
  ask("what shape is the object ?", "circle", {"circle", "square"});
  ExpectSame(host, device, group, "one token each");
  ask("what object is there ?", "red circle", {"red circle", "blue square", "circle"});
  ExpectSame(host, device, group, "several tokens");
}

TEST(ScoringOnADevice, PaliGemmaIsThatOfACpu) {
  PaliGemmaConfig config;
  config.vision = {.width = 16, .layers = 1, .heads = 2, .mlp = 24};
  config.image_size = 8, config.patch_size = 4;
  config.text = {
      .hidden = 20, .mlp = 28, .layers = 1, .heads = 2, .kv_heads = 1, .vocabulary = 40, .head_dim = 6};
  TensorMap tensors = PaliGemma::RandomInit(config, 5);
  Scramble(tensors, 6);
  const PaliGemma host = *PaliGemma::Create(config, tensors, "test"),
                  device = *PaliGemma::Create(config, Moved(tensors), "test");
  const auto answer = [](const PaliGemma& model) {
    const torch::NoGradGuard no_grad;
    const torch::Tensor images = model.ImageTokens(torch::full({2, 3, 8, 8}, .25F));
    const torch::Tensor ids = torch::tensor({{0, 5, 6}, {0, 7, 2}}, torch::kInt64),
                        lengths = torch::tensor({3, 2}, torch::kInt64);
    return model.SuffixLogProbs(model.ReadPrefix(images, ids, lengths), ids.narrow(1, 1, 2), lengths - 1)
        .cpu();
  };
  EXPECT_TRUE(Close(answer(device), answer(host), 1e-4));
}

TEST(ScoringOnADevice, DetectionsAreThoseOfACpu) {
  Owlv2Config config;
  config.vision = {.width = 16, .layers = 1, .heads = 2, .mlp = 24};
  config.text = {.width = 12, .layers = 1, .heads = 3, .mlp = 20};
  config.image_size = 16, config.patch_size = 4;
  config.vocabulary = 30, config.text_length = 8, config.projection = 12;
  TensorMap tensors = Owlv2::RandomInit(config, 5);
  Scramble(tensors, 6);
  const auto detect = [&](const TensorMap& own) {
    Owlv2Detector detector(*Owlv2::Create(config, own, "test"),
                           MakeWordTokenizer({"a", "photo", "of", "ball", "dog", "red"}),
                           {.threshold = 0, .most_overlap = 1});
    return (*detector.Detect({{20, 20, std::vector<uint8_t>(1200, 99)}}, {"ball", "red dog"}))[0];
  };
  const std::vector<Detection> host = detect(tensors), device = detect(Moved(tensors));
  ASSERT_EQ(device.size(), host.size());
  for (size_t i = 0; i < host.size(); ++i) {
    EXPECT_NEAR(device[i].score, host[i].score, 1e-4);
    EXPECT_NEAR(device[i].x0, host[i].x0, 1e-3);
  }
}

}  // namespace
}  // namespace lvrpo
