#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "collectives/in_process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/trainer.h"
#include "tests/learner/tiny_run.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSteps = 2;

// What a learner of several ranks ends with.
struct Trained {
  std::vector<std::string> digests;  // by rank
  TensorMap weights;                 // rank 0's
  std::vector<GrpoTrainer::StepResult> steps;
};

// The groups of a step, dealt to the ranks: image and text groups of unequal numbers.
std::vector<TrainingGroup> GroupsOf(const Bagel& policy, const v1::RunConfig& config, int64_t step,
                                    int ranks) {
  std::vector<TrainingGroup> groups;
  for (int64_t i = 0; i < 5; ++i) {
    const int64_t ordinal = 5 * step + i;
    groups.push_back(i % 2 == 0 ? TrainImages(policy, config, ordinal) : TrainTexts(policy, config, ordinal));
    groups.back().rank = static_cast<int>((i * i + step) % ranks);
  }
  return groups;
}

// The group without samples, as a rank sees those of others.
TrainingGroup Elsewhere(TrainingGroup group) {
  if (std::holds_alternative<ImageGroup>(group.trajectories.samples)) {
    group.trajectories.samples = ImageGroup{};
  } else {
    group.trajectories.samples = TextGroup{};
  }
  return group;
}

using Damage = std::function<void(std::vector<TrainingGroup>&)>;

// Trains on `count` ranks, each a thread with a separate trainer.
Trained TrainOn(int count, bool ordered, const v1::RunConfig& config, const Damage& damage = nullptr) {
  Trained trained;
  trained.digests.resize(static_cast<size_t>(count));
  // Groups of the run's first weights: what a step trains on does not depend on the ranks.
  std::vector<std::vector<TrainingGroup>> steps;
  for (int64_t step = 0; step < kSteps; ++step) {
    steps.push_back(GroupsOf(TinyModel(), config, step, count));
    if (damage) damage(steps.back());
  }
  const std::vector<std::unique_ptr<Collectives>> collectives = MakeInProcess(count, absl::Seconds(30));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < count; ++rank) {
    threads.emplace_back([&, rank] {
      const absl::StatusOr<std::unique_ptr<GrpoTrainer>> trainer = GrpoTrainer::Create(config, TinyModel());
      ASSERT_TRUE(trainer.ok()) << trainer.status();
      const StepRanks ranks = {*collectives[static_cast<size_t>(rank)], ordered};
      for (int64_t step = 0; step < kSteps; ++step) {
        std::vector<TrainingGroup> groups = steps[static_cast<size_t>(step)];
        for (TrainingGroup& group : groups) {
          if (group.rank != rank) group = Elsewhere(group);
        }
        absl::StatusOr<GrpoTrainer::StepResult> result = (*trainer)->Step(groups, step, ranks);
        ASSERT_TRUE(result.ok()) << result.status();
        if (rank == 0) trained.steps.push_back(*std::move(result));
      }
      trained.digests[static_cast<size_t>(rank)] =
          PackWeights((*trainer)->trained(), kSteps).manifest.version().digest();
      if (rank == 0) trained.weights = CloneTensors((*trainer)->trained());
    });
  }
  for (std::thread& thread : threads) thread.join();
  return trained;
}

TEST(LearnerRanks, GiveTheSameWeightsBitForBitInOrderedMode) {
  for (const int updates : {1, 2}) {
    v1::RunConfig config = TinyRun();
    config.mutable_train()->set_updates_per_step(updates);
    const Trained one = TrainOn(1, /*ordered=*/true, config);
    for (const int count : {2, 3, 4}) {
      const Trained several = TrainOn(count, /*ordered=*/true, config);
      for (const std::string& digest : several.digests)
        EXPECT_EQ(digest, one.digests[0]) << count << " ranks, " << updates << " updates";
    }
  }
}

TEST(LearnerRanks, GiveTheSameWeightsWithinRoundingOtherwise) {
  const v1::RunConfig config = TinyRun();
  const Trained one = TrainOn(1, /*ordered=*/false, config);
  for (const int count : {2, 4}) {
    const Trained several = TrainOn(count, /*ordered=*/false, config);
    for (const std::string& digest : several.digests) EXPECT_EQ(digest, several.digests[0]);
    double largest = 0;
    for (const auto& [name, tensor] : one.weights) {
      const torch::Tensor difference = (tensor - several.weights.at(name)).abs().max();
      largest = std::max(largest, difference.item<double>());
    }
    // Adam divides by the gradient's size: where it is nearly 0 its last bits decide the direction.
    EXPECT_LT(largest, 2 * kSteps * config.train().image().learning_rate());
    for (size_t step = 0; step < one.steps.size(); ++step) {
      for (const auto& [name, value] : one.steps[step].metrics)
        EXPECT_NEAR(several.steps[step].metrics.at(name), value, 1e-3 * std::abs(value) + 1e-5) << name;
    }
  }
}

TEST(LearnerRanks, AllLeaveOutAGroupThatOneOfThemCannotTrainOn) {
  const v1::RunConfig config = TinyRun();
  for (const size_t bad : {size_t{0}, size_t{1}}) {
    const Trained trained = TrainOn(3, /*ordered=*/false, config, [bad](std::vector<TrainingGroup>& groups) {
      if (auto* images = std::get_if<ImageGroup>(&groups[bad].trajectories.samples)) {
        images->latents = images->latents.clone().fill_(1e30F);
      } else {
        std::get<TextGroup>(groups[bad].trajectories.samples).ids[0] = {1 << 30};
      }
    });
    for (const GrpoTrainer::StepResult& step : trained.steps) {
      ASSERT_EQ(step.unusable.size(), 1);
      EXPECT_EQ(step.unusable.begin()->first, bad);
    }
  }
}

TEST(LearnerRanks, ALostRankEndsTheStepWithAborted) {
  const v1::RunConfig config = TinyRun();
  std::vector<std::unique_ptr<Collectives>> collectives = MakeInProcess(2, absl::Seconds(30));
  collectives[1].reset();
  const auto trainer = GrpoTrainer::Create(config, TinyModel());
  ASSERT_TRUE(trainer.ok());
  const auto result = (*trainer)->Step({TrainImages(TinyModel(), config, 0)}, 0, {*collectives[0], false});
  EXPECT_TRUE(absl::IsAborted(result.status())) << result.status();
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("no longer work together"));
}

}  // namespace
}  // namespace lvrpo
