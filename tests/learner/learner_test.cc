#include <cmath>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/checkpoint.h"
#include "learner/trainer.h"
#include "learner/verdict.h"
#include "model/weights/lora_file.h"
#include "policy/run_policy.h"
#include "tests/learner/tiny_run.h"
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
INSTANTIATE_TEST_SUITE_P(GrpoTrainer, EachImageLoss, ::testing::Values("ppo", "grpo_guard"));

TEST_P(EachImageLoss, HasRatiosOfExactlyOneForWeightsThatDidNotChange) {
  const v1::RunConfig config = Run();
  auto trainer = GrpoTrainer::Create(config, TinyModel());
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_EQ((*trainer)->SelfTest(), 0);
  EXPECT_GT((*trainer)->TextSelfTest(), 0);
  EXPECT_LT((*trainer)->TextSelfTest(), 1e-5);
  const Bagel& policy = (*trainer)->policy();
  const auto metrics = (*trainer)->Step({ImageGroup(policy, config, 0), TextGroup(policy, config, 1)}, 0);
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
              ->Step({ImageGroup(policy, config, 2 * step), TextGroup(policy, config, 2 * step + 1)}, step)
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
  const v1::TrajectoryGroup image = ImageGroup((*trainer)->policy(), config, 0);
  const v1::TrajectoryGroup text = TextGroup((*trainer)->policy(), config, 1);
  const auto advantage = [&](const v1::TrajectoryGroup& group) {
    // Mean log-prob of rewarded samples minus that of the others, under the trainer's policy.
    torch::NoGradGuard no_grad;
    const Bagel& policy = (*trainer)->policy();
    double difference = 0;
    for (int slot = 0; slot < group.samples_size(); ++slot) {
      const v1::Sample& sample = group.samples(slot);
      double log_prob = 0;
      if (group.prompt().task() == v1::TASK_KIND_IMAGE) {
        torch::Tensor latents = torch::empty({1, 3, 16, 4});
        std::memcpy(latents.data_ptr(), sample.latents().data(), sample.latents().size());
        log_prob = WindowLogProbs(BagelVelocity(policy, policy.PrefillPrompt({1, 2, 3}), 4, 4), latents,
                                  SampleOptions(group.image()))
                       .sum()
                       .item<double>();
      } else {
        std::vector<int64_t> ids(sample.response_ids().begin(), sample.response_ids().end());
        log_prob = policy
                       .ResponseLogProbs(
                           policy.PrefillQuestion(torch::full({1, 3, 16, 16}, 0x80 / 127.5 - 1), {5, 6}),
                           torch::tensor(ids, torch::kInt64).unsqueeze(0), 1)
                       .sum()
                       .item<double>();
      }
      difference += (slot % 2 == 1 ? 1 : -1) * log_prob;
    }
    return difference;
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
    const auto metrics = (*trainer)->Step({ImageGroup((*trainer)->policy(), config, 0)}, 0);
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
  EXPECT_EQ((*trainer)->SelfTest(), 0);
  for (const auto& [name, tensor] : (*trainer)->trained()) EXPECT_TRUE(IsLoraName(name)) << name;
  const Bagel& policy = (*trainer)->policy();
  const std::string before = DigestOf(WithoutLora(policy.tensors()));
  for (int64_t step = 0; step < 2; ++step) {
    const auto metrics = (*trainer)->Step(
        {ImageGroup(policy, config, 2 * step), TextGroup(policy, config, 2 * step + 1)}, step);
    ASSERT_TRUE(metrics.ok()) << metrics.status();
    EXPECT_EQ(metrics->metrics.at("ratio_deviation_first_update"), 0);
    EXPECT_GT(metrics->metrics.at("image_gradient_norm"), 0);
    EXPECT_GT(metrics->metrics.at("text_gradient_norm"), 0);
  }
  EXPECT_EQ(DigestOf(WithoutLora(policy.tensors())), before);
  EXPECT_NE(DigestOf(ExtractLora(policy.tensors())), DigestOf(ExtractLora(base.tensors())));

  // The checkpoint's PEFT adapter, loaded as others load it, gives the trained policy.
  const std::string folder = TestFolder() + "/step_000002";
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
  TensorMap tensors;
  const Bagel model = TinyModel();
  for (const auto& [name, tensor] : model.tensors()) tensors[name] = tensor.to(torch::kBFloat16);
  const Bagel base = *WithTrainedAdapters(config, *Bagel::Create(TinyConfig(), tensors, "bf16"));
  EXPECT_EQ(base.dtype(), torch::kBFloat16);
  auto trainer = GrpoTrainer::Create(config, base);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_EQ((*trainer)->SelfTest(), 0);
  const Bagel& policy = (*trainer)->policy();
  const auto metrics = (*trainer)->Step({ImageGroup(policy, config, 0), TextGroup(policy, config, 1)}, 0);
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  EXPECT_EQ(metrics->metrics.at("ratio_deviation_first_update"), 0);
  EXPECT_GT(metrics->metrics.at("image_gradient_norm"), 0);
  for (const auto& [name, tensor] : (*trainer)->trained()) EXPECT_EQ(tensor.scalar_type(), torch::kFloat32);
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
      EXPECT_EQ((*trainer)->SelfTest(), 0);
      const auto metrics = (*trainer)->Step({ImageGroup((*trainer)->policy(), config, 0)}, 0);
      ASSERT_TRUE(metrics.ok()) << metrics.status();
      EXPECT_EQ(metrics->metrics.at("sampler_log_prob_difference_same_version"), 0) << kernel;
      EXPECT_GT(metrics->metrics.at("image_gradient_norm"), 0) << kernel << " " << aggregation;
    }
  }
}

std::string DigestOfTrained(const GrpoTrainer& trainer) {
  return PackWeights(trainer.trained(), 0).manifest.version().digest();
}

void FillLatents(v1::TrajectoryGroup& group, float value) {
  for (v1::Sample& sample : *group.mutable_samples()) {
    for (size_t at = 0; at < sample.latents().size(); at += 4)
      std::memcpy(sample.mutable_latents()->data() + at, &value, 4);
  }
}

// Groups that CheckGroup() would refuse: later checks must hold without it.
TEST(GrpoTrainer, AGroupWithoutFiniteGradientsOrThatThrowsCostsItselfAlone) {
  for (const int updates : {1, 2}) {
    v1::RunConfig config = TinyRun();
    config.mutable_train()->set_updates_per_step(updates);
    auto trainer = GrpoTrainer::Create(config, TinyModel());
    const std::string before = DigestOfTrained(**trainer);
    const Bagel& policy = (*trainer)->policy();
    v1::TrajectoryGroup huge = ImageGroup(policy, config, 0), throwing = TextGroup(policy, config, 1);
    FillLatents(huge, 3e38f);  // finite, and too large to square
    throwing.mutable_samples(0)->set_response_ids(0, 1 << 20);
    const v1::TrajectoryGroup good = ImageGroup(policy, config, 2), good_text = TextGroup(policy, config, 3);
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
  const v1::TrajectoryGroup group = ImageGroup((*trainer)->policy(), config, 0);
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

TEST(Judge, FindsWhoseFaultItIs) {
  const absl::Status ok,
      nonfinite = absl::InvalidArgumentError("not finite"), threw = absl::InternalError("threw"),
      memory = absl::ResourceExhaustedError("memory"), diverged = absl::OutOfRangeError("diverged");
  struct Case {
    absl::Status together;
    std::vector<absl::Status> alone;
    absl::Status policy;
    Fault fault;
  };
  for (const Case& c : std::vector<Case>{
           {ok, {ok, nonfinite}, ok, Fault::kGroups},
           {ok, {nonfinite, nonfinite}, ok, Fault::kGroups},  // the policy is fine: both are bad
           {threw, {threw, ok}, ok, Fault::kGroups},
           {memory, {ok, memory}, ok, Fault::kGroups},       // larger than the others
           {memory, {memory, memory}, ok, Fault::kMachine},  // all have the run's size
           {memory, {ok, ok}, ok, Fault::kMachine},          // together too much
           {threw, {ok, ok}, ok, Fault::kMachine},           // did not happen again
           {ok, {ok, ok}, ok, Fault::kPolicy},               // their sum alone is not finite
           {ok, {nonfinite, ok}, diverged, Fault::kPolicy},
           {threw, {threw, ok}, threw, Fault::kMachine},  // nothing works here
       }) {
    EXPECT_EQ(Judge(c.together, c.alone, c.policy), c.fault)
        << c.together << " " << c.alone[0] << " " << c.alone[1] << " " << c.policy;
  }
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

TEST(WeightBuckets, RefuseManifestsThatLie) {
  const PackedWeights packed = PackWeights({{"a", torch::zeros({4, 4})}}, 1);
  EXPECT_TRUE(CheckManifest(packed.manifest).ok());
  v1::WeightManifest manifest = packed.manifest;
  manifest.mutable_tensors(0)->set_offset(8);
  EXPECT_TRUE(absl::IsDataLoss(CheckManifest(manifest)));
  manifest = packed.manifest;
  manifest.mutable_buckets(0)->set_sha256("x");
  EXPECT_TRUE(absl::IsDataLoss(CheckManifest(manifest)));
  // The number alone does not change the digest: equal weights are equal.
  EXPECT_EQ(PackWeights({{"a", torch::zeros({4, 4})}}, 2).manifest.version().digest(),
            packed.manifest.version().digest());
}

}  // namespace
}  // namespace lvrpo
