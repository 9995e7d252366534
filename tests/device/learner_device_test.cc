// What a learner does, on a device that is no CPU.

#include <functional>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/trainer.h"
#include "model/weights/moved.h"
#include "policy/run_policy.h"
#include "tests/device/moved.h"
#include "tests/learner/tiny_run.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

using Adapt = std::function<void(v1::RunConfig&)>;

std::unique_ptr<GrpoTrainer> Trainer(const v1::RunConfig& config, bool moved) {
  const Bagel base = *WithTrainedAdapters(config, TinyModel());
  auto made = GrpoTrainer::Create(
      config, moved ? Moved(base, TrainedAdapters(config, Bagel::ExpectedTensors(base.config()))) : base);
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

std::vector<TrainingGroup> Groups(const v1::RunConfig& config, int64_t step) {
  std::vector<TrainingGroup> groups;
  for (int64_t i = 0; i < 4; ++i) {
    const int64_t ordinal = 4 * step + i;
    groups.push_back(i % 2 == 0 ? TrainImages(TinyModel(), config, ordinal)
                                : TrainTexts(TinyModel(), config, ordinal));
  }
  return groups;
}

// What two steps make of the weights, in the host's memory.
TensorMap Trained(v1::RunConfig config, bool moved, bool sharded, bool ordered) {
  config.mutable_learner()->set_sharded(sharded);
  const std::unique_ptr<GrpoTrainer> trainer = Trainer(config, moved);
  if (sharded) trainer->Shard(nullptr, ordered);
  for (int64_t step = 0; step < 2; ++step) {
    const auto result = trainer->Step(Groups(config, step), step, StepRanks::Alone(ordered));
    EXPECT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(result->unusable.empty());
    // Sampled on a CPU from the first weights, evaluated here.
    if (step == 0) {
      EXPECT_LT(result->metrics.at("sampler_log_prob_difference"), 1e-3);
    }
    EXPECT_EQ(result->metrics.at("ratio_deviation_first_update"), 0);
  }
  EXPECT_TRUE(trainer->GatherOptimizers().ok());
  for (const auto& [name, tensor] : trainer->OptimizerState()) EXPECT_TRUE(tensor.is_cpu()) << name;
  return HostCopies(trainer->trained());
}

TEST(LearningOnADevice, GivesTheWeightsOfACpu) {
  const std::pair<const char*, Adapt> cases[] = {
      {"plain", [](v1::RunConfig&) {}},
      {"kl",
       [](v1::RunConfig& c) {
         c.mutable_train()->set_image_kl_beta(.1);
         c.mutable_train()->set_text_kl_beta(.1);
       }},
      {"updates", [](v1::RunConfig& c) { c.mutable_train()->set_updates_per_step(2); }},
      {"guard", [](v1::RunConfig& c) { c.mutable_train()->set_image_loss("grpo_guard"); }},
      {"micro", [](v1::RunConfig& c) { c.mutable_train()->set_micro_batch(3); }},
      {"lora", [](v1::RunConfig& c) { c.mutable_train()->mutable_lora()->set_rank(2); }}};
  for (const auto& [name, adapt] : cases) {
    v1::RunConfig config = TinyRun();
    adapt(config);
    const TensorMap host = Trained(config, /*moved=*/false, false, false);
    for (const auto& [sharded, ordered] :
         {std::pair(false, false), {false, true}, {true, false}, {true, true}}) {
      const TensorMap device = Trained(config, /*moved=*/true, sharded, ordered);
      ASSERT_EQ(device.size(), host.size()) << name;
      // Adam divides by the gradient's size: where it is nearly 0 its last bits decide the direction.
      for (const auto& [tensor, value] : host)
        EXPECT_LT((device.at(tensor) - value).abs().max().item<double>(), 5e-3) << name << " " << tensor;
    }
  }
}

TEST(LearningOnADevice, EvaluatesItsOwnSamplesToTheSameLogProbs) {
  const auto tested = Trainer(TinyRun(), /*moved=*/true)->SelfTest();
  ASSERT_TRUE(tested.ok()) << tested.status();
  EXPECT_EQ(tested->image, 0);
  EXPECT_LT(tested->text, 1e-4);
}

TEST(LearningOnADevice, GoesOnFromACheckpoint) {
  const v1::RunConfig config = TinyRun();
  const std::unique_ptr<GrpoTrainer> first = Trainer(config, /*moved=*/true),
                                     second = Trainer(config, /*moved=*/true);
  ASSERT_TRUE(first->Step(Groups(config, 0), 0).ok());
  ASSERT_TRUE(second->RestoreWeights(HostCopies(first->trained())).ok());
  ASSERT_TRUE(second->RestoreOptimizers(first->OptimizerState()).ok());
  for (const auto& trainer : {first.get(), second.get()})
    ASSERT_TRUE(trainer->Step(Groups(config, 1), 1).ok());
  EXPECT_EQ(PackWeights(first->trained(), 2).manifest.version().digest(),
            PackWeights(second->trained(), 2).manifest.version().digest());
  for (const auto& [name, tensor] : first->trained()) EXPECT_EQ(tensor.device(), TestDevice());
}

TEST(LearningOnADevice, NamesTheGroupThatCannotBeUsed) {
  const v1::RunConfig config = TinyRun();
  std::vector<TrainingGroup> groups = Groups(config, 0);
  auto& images = std::get<ImageGroup>(groups[2].trajectories.samples);
  images.latents = images.latents.clone().fill_(1e30F);
  const auto result = Trainer(config, /*moved=*/true)->Step(groups, 0);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->unusable.size(), 1);
  EXPECT_EQ(result->unusable.begin()->first, 2);
}

}  // namespace
}  // namespace lvrpo
