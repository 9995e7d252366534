#include "learner/trainer.h"

#include <cmath>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/checkpoint.h"
#include "model/weights/lora_file.h"
#include "policy/run_policy.h"
#include "tests/learner/tiny_run.h"
#include "tests/testing/merge_lora.h"
#include "tests/testing/temporary_folder.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

class EachImageLoss : public ::testing::TestWithParam<const char*> {
 protected:
  static v1::RunConfig Run() {
    v1::RunConfig config = TinyRun();
    config.mutable_train()->set_image_loss(GetParam());
    return config;
  }
};
INSTANTIATE_TEST_SUITE_P(GrpoTrainer, EachImageLoss, ::testing::Values("ppo", "grpo_guard", "flow_dppo"));

TEST_P(EachImageLoss, HasRatiosOfExactlyOneForWeightsThatDidNotChange) {
  const v1::RunConfig config = Run();
  auto trainer = GrpoTrainer::Create(config, TinyModel());
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  const absl::StatusOr<SelfTestResult> tested = (*trainer)->SelfTest();
  ASSERT_TRUE(tested.ok()) << tested.status();
  EXPECT_EQ(tested->image, 0);
  EXPECT_GT(tested->text, 0);
  EXPECT_LT(tested->text, 1e-5);
  const Bagel& policy = (*trainer)->policy();
  const auto metrics = (*trainer)->Step({TrainImages(policy, config, 0), TrainTexts(policy, config, 1)}, 0);
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  EXPECT_EQ(metrics->metrics.at("ratio_deviation_first_update"), 0);
  EXPECT_EQ(metrics->metrics.at("sampler_log_prob_difference_same_version"), 0);
  EXPECT_GT(metrics->metrics.at("image_gradient_norm"), 0);
  EXPECT_GT(metrics->metrics.at("text_gradient_norm"), 0);
  EXPECT_DOUBLE_EQ(metrics->metrics.at("reward"), 0.5);
}

TEST(GrpoTrainer, TheSameGroupsGiveTheSameWeights) {
  const v1::RunConfig config = TinyRun();
  std::string digest;
  for (int run = 0; run < 2; ++run) {
    auto trainer = GrpoTrainer::Create(config, TinyModel());
    for (int64_t step = 0; step < 3; ++step) {
      const Bagel& policy = (*trainer)->policy();
      ASSERT_TRUE(
          (*trainer)
              ->Step({TrainImages(policy, config, 2 * step), TrainTexts(policy, config, 2 * step + 1)}, step)
              .ok());
    }
    const std::string got = PackWeights((*trainer)->trained(), 3).manifest.version().digest();
    if (run == 0) digest = got;
    EXPECT_EQ(got, digest);
  }
}

TEST_P(EachImageLoss, RaisesTheLogProbsOfWhatWasRewarded) {
  v1::RunConfig config = Run();
  config.mutable_train()->set_updates_per_step(4);
  config.mutable_train()->set_image_clip(10);  // no clip: the surrogate itself
  config.mutable_train()->set_text_clip_high(10);
  config.mutable_train()->set_image_kl_beta(0);
  config.mutable_train()->mutable_image()->set_learning_rate(1e-4);
  auto trainer = GrpoTrainer::Create(config, TinyModel());
  const TrainingGroup image = TrainImages((*trainer)->policy(), config, 0);
  const TrainingGroup text = TrainTexts((*trainer)->policy(), config, 1);
  // Mean log-prob of rewarded samples minus that of the others, under the trainer's policy.
  const auto advantage = [&](const TrainingGroup& group) {
    torch::NoGradGuard no_grad;
    const Bagel& policy = (*trainer)->policy();
    const std::vector<int32_t>& prompt = group.trajectories.prompt_ids;
    torch::Tensor log_probs;  // [G]
    if (const auto* images = std::get_if<ImageGroup>(&group.trajectories.samples)) {
      log_probs = WindowLogProbs(BagelVelocity(policy, policy.PrefillPrompt(prompt), images->grid),
                                 images->latents, images->options)
                      .sum(1);
    } else {
      const auto& texts = std::get<TextGroup>(group.trajectories.samples);
      const KvCache context = policy.PrefillQuestion(FromRgbImages({texts.image}), prompt);
      std::vector<torch::Tensor> sums;
      for (const std::vector<int32_t>& ids : texts.ids) {
        const torch::Tensor response = torch::tensor(std::vector<int64_t>(ids.begin(), ids.end()));
        sums.push_back(policy.ResponseLogProbs(context, response.unsqueeze(0), 1).sum());
      }
      log_probs = torch::stack(sums);
    }
    return (log_probs.slice(0, 1, 4, 2) - log_probs.slice(0, 0, 4, 2)).mean().item<double>();
  };
  const double image_before = advantage(image), text_before = advantage(text);
  ASSERT_TRUE((*trainer)->Step({image, text}, 0).ok());
  EXPECT_GT(advantage(image), image_before);
  EXPECT_GT(advantage(text), text_before);
}

TEST_P(EachImageLoss, SplitsAGroupIntoMicroBatchesOfTheSameGradient) {
  double norms[2];
  for (const int micro : {0, 2}) {
    v1::RunConfig config = Run();
    config.mutable_train()->set_micro_batch(micro);
    auto trainer = GrpoTrainer::Create(config, TinyModel());
    const auto metrics = (*trainer)->Step({TrainImages((*trainer)->policy(), config, 0)}, 0);
    ASSERT_TRUE(metrics.ok()) << metrics.status();
    norms[micro / 2] = metrics->metrics.at("image_gradient_norm");
  }
  EXPECT_NEAR(norms[1] / norms[0], 1, 1e-4);
}

TEST(GrpoTrainer, TrainsAdaptersAloneAndSavesThemForOthers) {
  v1::RunConfig config = TinyRun();
  config.mutable_train()->mutable_lora()->set_rank(4);
  const Bagel base = *WithTrainedAdapters(config, TinyModel());
  auto trainer = GrpoTrainer::Create(config, base);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_EQ((*trainer)->SelfTest()->image, 0);
  for (const auto& [name, tensor] : (*trainer)->trained()) EXPECT_TRUE(IsLoraName(name)) << name;
  const Bagel& policy = (*trainer)->policy();
  const std::string before = DigestOf(WithoutLora(policy.tensors()));
  for (int64_t step = 0; step < 2; ++step) {
    const auto metrics = (*trainer)->Step(
        {TrainImages(policy, config, 2 * step), TrainTexts(policy, config, 2 * step + 1)}, step);
    ASSERT_TRUE(metrics.ok()) << metrics.status();
    EXPECT_EQ(metrics->metrics.at("ratio_deviation_first_update"), 0);
    EXPECT_GT(metrics->metrics.at("image_gradient_norm"), 0);
    EXPECT_GT(metrics->metrics.at("text_gradient_norm"), 0);
  }
  EXPECT_EQ(DigestOf(WithoutLora(policy.tensors())), before);
  EXPECT_NE(DigestOf(ExtractLora(policy.tensors())), DigestOf(ExtractLora(base.tensors())));

  // The checkpoint's PEFT adapter, loaded as others load it, gives the trained policy.
  const TemporaryFolder here;
  const std::string folder = here / "step_000002";
  Checkpoint saved;
  saved.weights = CloneTensors((*trainer)->trained());
  saved.lora = TrainedAdapters(config, Bagel::ExpectedTensors(policy.config()));
  ASSERT_TRUE(SaveCheckpoint(folder, saved).ok());
  const auto adapter = LoadAdapter(folder + "/adapter", Bagel::ExpectedTensors(policy.config()));
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  TensorMap tensors = TinyModel().tensors();
  for (const auto& [name, tensor] : adapter->tensors) tensors[name] = tensor;
  const Bagel merged = *Bagel::Create(policy.config(), *MergeLora(tensors, adapter->config), "merged");
  const torch::NoGradGuard no_grad;
  torch::manual_seed(4);
  const torch::Tensor x_t = torch::randn({2, 16, 4}), t = torch::tensor({.8f, .3f});
  const auto velocity = [&](const Bagel& model) {
    return model.Velocity(model.PrefillPrompt({1, 2}), x_t, t, 4, 4);
  };
  EXPECT_LT((velocity(merged) - velocity(policy)).abs().max().item<double>(), 1e-5);
  EXPECT_GT((velocity(TinyModel()) - velocity(policy)).abs().max().item<double>(), 1e-4);
}

TEST(GrpoTrainer, TrainsAdaptersOfBf16Weights) {
  v1::RunConfig config = TinyRun();
  config.mutable_train()->mutable_lora()->set_rank(2);
  const Bagel base = *WithTrainedAdapters(config, TinyModelInBf16());
  EXPECT_EQ(base.dtype(), torch::kBFloat16);
  auto trainer = GrpoTrainer::Create(config, base);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_EQ((*trainer)->SelfTest()->image, 0);
  const Bagel& policy = (*trainer)->policy();
  const auto metrics = (*trainer)->Step({TrainImages(policy, config, 0), TrainTexts(policy, config, 1)}, 0);
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  EXPECT_EQ(metrics->metrics.at("ratio_deviation_first_update"), 0);
  EXPECT_GT(metrics->metrics.at("image_gradient_norm"), 0);
  for (const auto& [name, tensor] : (*trainer)->trained()) EXPECT_EQ(tensor.scalar_type(), torch::kFloat32);
}

// bf16 weights are trained by fp32 masters. What samplers cast the published masters to is, bit for bit, what
// the learner computes with.
TEST(GrpoTrainer, TrainsBf16WeightsByTheirMasters) {
  v1::RunConfig config = TinyRun();
  config.mutable_learner()->set_sharded(true);
  const Bagel base = TinyModelInBf16();
  auto trainer = GrpoTrainer::Create(config, base);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_EQ((*trainer)->policy().dtype(), torch::kBFloat16);
  EXPECT_EQ((*trainer)->SelfTest()->image, 0);
  EXPECT_LT((*trainer)->SelfTest()->text, .1);
  (*trainer)->Shard(nullptr, /*ordered=*/false);
  for (int64_t step = 0; step < 3; ++step) {
    const Bagel sampler = *WithPublished(base, (*trainer)->trained(), "published");
    EXPECT_EQ(sampler.dtype(), torch::kBFloat16);
    std::vector<TrainingGroup> groups = {TrainImages(sampler, config, 2 * step),
                                         TrainTexts(sampler, config, 2 * step + 1)};
    for (TrainingGroup& group : groups) group.trajectories.version.set_number(step);
    const auto taken = (*trainer)->Step(groups, step);
    ASSERT_TRUE(taken.ok()) << taken.status();
    EXPECT_EQ(taken->metrics.at("ratio_deviation_first_update"), 0);
    EXPECT_EQ(taken->metrics.at("sampler_log_prob_difference_same_version"), 0);
    EXPECT_LT(taken->metrics.at("text_log_prob_difference_same_version"), .1);
    EXPECT_GT(taken->metrics.at("image_gradient_norm"), 0);
    EXPECT_GT(taken->metrics.at("text_gradient_norm"), 0);
  }
  // In the layers and outside of them, steps that bf16 cannot hold are kept.
  for (const char* name : {"llm2vae.weight", "language_model.model.layers.0.mlp_moe_gen.down_proj.weight"}) {
    const torch::Tensor& master = (*trainer)->trained().at(name);
    EXPECT_EQ(master.scalar_type(), torch::kFloat32);
    EXPECT_FALSE(torch::equal(master, base.tensors().at(name).to(torch::kFloat32))) << name;
    EXPECT_FALSE(torch::equal(master, master.to(torch::kBFloat16).to(torch::kFloat32))) << name;
  }
}

// Until a sharded trainer takes its part it has no copies, and after it nothing of the model's, which may be
// views of a file.
TEST(GrpoTrainer, CopiesNothingUntilItIsSharded) {
  v1::RunConfig config = TinyRun();
  config.mutable_learner()->set_sharded(true);
  const Bagel base = TinyModel();
  auto trainer = GrpoTrainer::Create(config, base);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  for (const auto& [name, tensor] : (*trainer)->trained())
    EXPECT_EQ(tensor.data_ptr(), base.tensors().at(name).data_ptr()) << name;
  EXPECT_TRUE(absl::IsFailedPrecondition((*trainer)->Step({TrainImages(base, config, 0)}, 0).status()));
  EXPECT_TRUE(absl::IsDataLoss((*trainer)->RestoreOptimizers({})));
  (*trainer)->Shard(nullptr, /*ordered=*/false);
  for (const TensorMap& tensors : {(*trainer)->trained(), (*trainer)->policy().tensors()}) {
    for (const auto& [name, tensor] : tensors)
      EXPECT_NE(tensor.data_ptr(), base.tensors().at(name).data_ptr()) << name;
  }
}

TEST(GrpoTrainer, TrainsWithEveryKernelAndAggregation) {
  for (const char* kernel : {"flow_sde", "dance", "cps"}) {
    for (const char* aggregation : {"sum_then_normalize", "gdpo"}) {
      v1::RunConfig config = TinyRun();
      config.mutable_rollout()->set_kernel(kernel);
      if (config.rollout().kernel() == "cps") config.mutable_train()->set_image_loss("ppo");
      config.mutable_train()->set_advantage_aggregation(aggregation);
      auto trainer = GrpoTrainer::Create(config, TinyModel());
      ASSERT_TRUE(trainer.ok()) << trainer.status();
      EXPECT_EQ((*trainer)->SelfTest()->image, 0);
      const auto metrics = (*trainer)->Step({TrainImages((*trainer)->policy(), config, 0)}, 0);
      ASSERT_TRUE(metrics.ok()) << metrics.status();
      EXPECT_EQ(metrics->metrics.at("sampler_log_prob_difference_same_version"), 0) << kernel;
      EXPECT_GT(metrics->metrics.at("image_gradient_norm"), 0) << kernel << " " << aggregation;
    }
  }
}

std::string DigestOfTrained(const GrpoTrainer& trainer) {
  return PackWeights(trainer.trained(), 0).manifest.version().digest();
}

// Groups that ReadGroup() would not let through: what lies after it must hold without it.
TEST(GrpoTrainer, AGroupWithoutFiniteGradientsOrThatThrowsCostsItselfAlone) {
  for (const auto& [updates, mini_batches] : {std::pair(1, 1), {2, 1}, {1, 2}}) {
    v1::RunConfig config = TinyRun();
    config.mutable_train()->set_updates_per_step(updates);
    config.mutable_train()->set_mini_batches(mini_batches);
    auto trainer = GrpoTrainer::Create(config, TinyModel());
    const std::string before = DigestOfTrained(**trainer);
    const Bagel& policy = (*trainer)->policy();
    TrainingGroup huge = TrainImages(policy, config, 0), throwing = TrainTexts(policy, config, 1);
    // Finite, and too large to square.
    std::get<ImageGroup>(huge.trajectories.samples).latents.fill_(3e38f);
    std::get<TextGroup>(throwing.trajectories.samples).ids[0][0] = 1 << 20;
    const TrainingGroup good = TrainImages(policy, config, 2), good_text = TrainTexts(policy, config, 3);
    for (const auto& [bad, words] : {std::pair{huge, "not finite"}, {throwing, ""}}) {
      const auto step = (*trainer)->Step({good, bad, good_text}, 0);
      ASSERT_TRUE(step.ok()) << step.status();
      ASSERT_EQ(step->unusable.size(), 1u);
      EXPECT_THAT(step->unusable.at(1), HasSubstr(words));
      EXPECT_EQ(DigestOfTrained(**trainer), before);
    }
    EXPECT_EQ((*trainer)->nonfinite_in_a_row(), 0);
    // The rest is trained as if the others had never been there.
    auto other = GrpoTrainer::Create(config, TinyModel());
    const auto with = (*trainer)->Step({good, good_text}, 0), without = (*other)->Step({good, good_text}, 0);
    ASSERT_TRUE(with.ok() && without.ok());
    EXPECT_TRUE(with->unusable.empty());
    EXPECT_EQ(with->metrics.at("nonfinite"), 0);
    EXPECT_EQ(DigestOfTrained(**trainer), DigestOfTrained(**other));
    EXPECT_NE(DigestOfTrained(**trainer), before);
  }
}

TEST(GrpoTrainer, WeightsThatGiveNoFiniteGradientsAreNoGroupsFault) {
  const v1::RunConfig config = TinyRun();
  auto trainer = GrpoTrainer::Create(config, TinyModel());
  const TrainingGroup group = TrainImages((*trainer)->policy(), config, 0);
  TensorMap weights = CloneTensors((*trainer)->trained());
  for (auto& [name, tensor] : weights) {
    if (name == "llm2vae.weight") tensor.fill_(3e38f);
  }
  ASSERT_TRUE((*trainer)->RestoreWeights(weights).ok());
  const std::string before = DigestOfTrained(**trainer);
  for (int64_t step = 0; step < 2; ++step) {
    const auto result = (*trainer)->Step({group}, step);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(result->unusable.empty());
    EXPECT_EQ(result->metrics.at("nonfinite"), 1);
    EXPECT_EQ((*trainer)->nonfinite_in_a_row(), step + 1);
  }
  EXPECT_EQ(DigestOfTrained(**trainer), before);
}

TEST(GrpoTrainer, NamesPatternsThatMatchNothingOrOverlap) {
  v1::RunConfig config = TinyRun();
  config.mutable_train()->mutable_image()->clear_trainable();
  config.mutable_train()->mutable_image()->add_trainable("no_such_tensor");
  EXPECT_THAT(std::string(GrpoTrainer::Create(config, TinyModel()).status().message()),
              HasSubstr("train.image.trainable"));
  config = TinyRun();
  config.mutable_train()->mutable_text()->add_trainable("llm2vae");
  config.mutable_train()->mutable_image()->add_trainable("q_proj.weight");
  EXPECT_TRUE(absl::IsFailedPrecondition(GrpoTrainer::Create(config, TinyModel()).status()));
}

}  // namespace
}  // namespace lvrpo
