#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "collectives/in_process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/trainer.h"
#include "tests/learner/tiny_run.h"
#include "tests/testing/nccl_world.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSteps = 2;

// What a learner of several ranks ends with.
struct Trained {
  std::vector<std::string> digests;  // by rank
  TensorMap weights, optimizers;     // rank 0's
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

struct Team {
  int ranks = 1;
  bool ordered = false, sharded = false;
  bool nccl = false;  // over the double, whose memory is the host's
};

Bagel ModelOf(const v1::RunConfig& config) {
  return config.model().weights_dtype() == "bf16" ? TinyModelInBf16() : TinyModel();
}

// Trains on a team, each rank a thread with a separate trainer.
Trained TrainOn(const Team& team, v1::RunConfig config, const Damage& damage = nullptr) {
  config.mutable_learner()->set_sharded(team.sharded);
  const int count = team.ranks;
  Trained trained;
  trained.digests.resize(static_cast<size_t>(count));
  // Groups of the run's first weights: what a step trains on does not depend on the ranks.
  std::vector<std::vector<TrainingGroup>> steps;
  for (int64_t step = 0; step < kSteps; ++step) {
    steps.push_back(GroupsOf(ModelOf(config), config, step, count));
    if (damage) damage(steps.back());
  }
  std::optional<NcclWorld> world;
  std::vector<std::unique_ptr<Collectives>> collectives;
  if (team.nccl) {
    world.emplace();
    for (auto& own : world->CollectivesOfAll(count)) collectives.push_back(std::move(own));
  } else {
    collectives = MakeInProcess(count, absl::Seconds(30));
  }
  std::vector<std::thread> threads;
  for (int rank = 0; rank < count; ++rank) {
    // Made here: random weights come from a generator that the threads share.
    absl::StatusOr<std::unique_ptr<GrpoTrainer>> made = GrpoTrainer::Create(config, ModelOf(config));
    EXPECT_TRUE(made.ok()) << made.status();
    threads.emplace_back([&, rank, trainer = *std::move(made)] {
      Collectives& own = *collectives[static_cast<size_t>(rank)];
      const StepRanks ranks = {own, team.ordered};
      if (team.sharded) trainer->Shard(&own, team.ordered);
      for (int64_t step = 0; step < kSteps; ++step) {
        std::vector<TrainingGroup> groups = steps[static_cast<size_t>(step)];
        for (TrainingGroup& group : groups) {
          if (group.rank != rank) group = Elsewhere(group);
        }
        absl::StatusOr<GrpoTrainer::StepResult> result = trainer->Step(groups, step, ranks);
        ASSERT_TRUE(result.ok()) << result.status();
        if (rank == 0) trained.steps.push_back(*std::move(result));
      }
      ASSERT_TRUE(trainer->GatherOptimizers().ok());
      if (team.sharded && rank > 0) {
        EXPECT_TRUE(trainer->trained().empty());
        return;
      }
      trained.digests[static_cast<size_t>(rank)] =
          PackWeights(trainer->trained(), kSteps).manifest.version().digest();
      if (rank > 0) return;
      trained.weights = CloneTensors(trainer->trained());
      trained.optimizers = trainer->OptimizerState();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return trained;
}

TEST(LearnerRanks, GiveTheSameWeightsBitForBitInOrderedMode) {
  for (const int updates : {1, 2}) {
    v1::RunConfig config = TinyRun();
    config.mutable_train()->set_updates_per_step(updates);
    const Trained one = TrainOn({.ordered = true}, config);
    for (const int count : {2, 3, 4}) {
      const Trained several = TrainOn({.ranks = count, .ordered = true}, config);
      for (const std::string& digest : several.digests)
        EXPECT_EQ(digest, one.digests[0]) << count << " ranks, " << updates << " updates";
    }
  }
}

// Of weights that would be equal but for the order of sums.
void ExpectNear(const Trained& one, const Trained& other, const v1::RunConfig& config) {
  double largest = 0;
  for (const auto& [name, tensor] : one.weights) {
    const torch::Tensor difference = (tensor - other.weights.at(name)).abs().max();
    largest = std::max(largest, difference.item<double>());
  }
  // Adam divides by the gradient's size: where it is nearly 0 its last bits decide the direction.
  EXPECT_LT(largest, 2 * kSteps * config.train().image().learning_rate());
  for (size_t step = 0; step < one.steps.size(); ++step) {
    for (const auto& [name, value] : one.steps[step].metrics)
      EXPECT_NEAR(other.steps[step].metrics.at(name), value, 1e-3 * std::abs(value) + 1e-5) << name;
  }
}

TEST(LearnerRanks, GiveTheSameWeightsWithinRoundingOtherwise) {
  const v1::RunConfig config = TinyRun();
  const Trained one = TrainOn({}, config);
  for (const int count : {2, 4}) {
    const Trained several = TrainOn({.ranks = count}, config);
    for (const std::string& digest : several.digests) EXPECT_EQ(digest, several.digests[0]);
    ExpectNear(one, several, config);
  }
}

TEST(LearnerRanks, ShardedGiveTheBitsOfOneWholeRankInOrderedMode) {
  for (const int updates : {1, 2}) {
    v1::RunConfig config = TinyRun();
    config.mutable_train()->set_updates_per_step(updates);
    config.mutable_train()->set_micro_batch(3);
    const Trained whole = TrainOn({.ordered = true}, config);
    for (const int count : {1, 2, 3, 4}) {
      const Trained sharded = TrainOn({.ranks = count, .ordered = true, .sharded = true}, config);
      EXPECT_EQ(sharded.digests[0], whole.digests[0]) << count << " ranks, " << updates << " updates";
      ASSERT_EQ(sharded.optimizers.size(), whole.optimizers.size());
      for (const auto& [name, tensor] : whole.optimizers)
        EXPECT_TRUE(torch::equal(sharded.optimizers.at(name), tensor)) << name;
    }
  }
}

// Mini-batches, each normalised by its own counts over all ranks; texts by answers instead of tokens.
TEST(LearnerRanks, DivideStepsAlikeForAnyNumberInOrderedMode) {
  v1::RunConfig config = TinyRun();
  config.mutable_train()->set_mini_batches(2);
  config.mutable_train()->set_updates_per_step(2);
  config.mutable_train()->set_micro_batch(3);
  config.mutable_train()->set_text_aggregation("seq_mean_token_mean");
  const Trained one = TrainOn({.ordered = true}, config);
  for (const auto& [count, sharded] : {std::pair(2, false), {3, false}, {1, true}, {2, true}, {3, true}}) {
    const Trained several = TrainOn({.ranks = count, .ordered = true, .sharded = sharded}, config);
    EXPECT_EQ(several.digests[0], one.digests[0]) << count << " ranks, sharded: " << sharded;
    EXPECT_EQ(several.steps[0].metrics.at("sampler_log_prob_difference_same_version"), 0);
  }
  ExpectNear(one, TrainOn({.ranks = 2}, config), config);
  config.mutable_train()->set_mini_batches(1);
  EXPECT_NE(TrainOn({.ordered = true}, config).digests[0], one.digests[0]);
}

TEST(LearnerRanks, ShardedGiveTheSameWeightsWithinRoundingOtherwise) {
  const v1::RunConfig config = TinyRun();
  const Trained whole = TrainOn({}, config);
  for (const int count : {1, 2, 3, 4})
    ExpectNear(whole, TrainOn({.ranks = count, .sharded = true}, config), config);
}

TEST(LearnerRanks, ShardedTrainBf16WeightsAlikeForAnyNumberInOrderedMode) {
  v1::RunConfig config = TinyRun();
  config.mutable_model()->set_weights_dtype("bf16");
  const Trained one = TrainOn({.ordered = true, .sharded = true}, config);
  EXPECT_EQ(one.steps[0].metrics.at("ratio_deviation_first_update"), 0);
  EXPECT_EQ(one.steps[0].metrics.at("sampler_log_prob_difference_same_version"), 0);
  for (const int count : {2, 3}) {
    const Trained several = TrainOn({.ranks = count, .ordered = true, .sharded = true}, config);
    EXPECT_EQ(several.digests[0], one.digests[0]) << count << " ranks";
    for (const auto& [name, tensor] : one.optimizers)
      EXPECT_TRUE(torch::equal(several.optimizers.at(name), tensor)) << name;
  }
}

TEST(LearnerRanks, GiveTheSameWeightsOverNccl) {
  const v1::RunConfig config = TinyRun();
  for (const bool sharded : {false, true}) {
    const Team in_process = {.ranks = 2, .ordered = true, .sharded = sharded};
    Team nccl = in_process;
    nccl.nccl = true;
    EXPECT_EQ(TrainOn(nccl, config).digests[0], TrainOn(in_process, config).digests[0]) << sharded;
    nccl.ordered = false;
    ExpectNear(TrainOn({}, config), TrainOn(nccl, config), config);
  }
}

TEST(LearnerRanks, AllLeaveOutAGroupThatOneOfThemCannotTrainOn) {
  const v1::RunConfig config = TinyRun();
  for (const auto& [bad, sharded] : {std::pair(size_t{0}, false), {1, false}, {0, true}, {1, true}}) {
    const Team team = {.ranks = 3, .ordered = false, .sharded = sharded};
    const Trained trained = TrainOn(team, config, [bad = bad](std::vector<TrainingGroup>& groups) {
      if (auto* images = std::get_if<ImageGroup>(&groups[bad].trajectories.samples)) {
        images->latents = images->latents.clone().fill_(1e30F);
      } else {
        std::get<TextGroup>(groups[bad].trajectories.samples).ids[0] = {1 << 30};
      }
    });
    for (const GrpoTrainer::StepResult& step : trained.steps) {
      ASSERT_EQ(step.unusable.size(), 1);
      EXPECT_EQ(step.unusable.begin()->first, bad) << sharded;
    }
  }
}

TEST(LearnerRanks, ALostRankEndsTheStepWithAborted) {
  v1::RunConfig config = TinyRun();
  for (const bool sharded : {false, true}) {
    config.mutable_learner()->set_sharded(sharded);
    std::vector<std::unique_ptr<Collectives>> collectives = MakeInProcess(2, absl::Seconds(30));
    collectives[1].reset();
    const auto trainer = GrpoTrainer::Create(config, TinyModel());
    ASSERT_TRUE(trainer.ok());
    if (sharded) (*trainer)->Shard(collectives[0].get(), /*ordered=*/false);
    const auto result = (*trainer)->Step({TrainImages(TinyModel(), config, 0)}, 0, {*collectives[0], false});
    EXPECT_TRUE(absl::IsAborted(result.status())) << result.status();
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("no longer work together"));
  }
}

}  // namespace
}  // namespace lvrpo
