#include "learner/shards/layer_exchange.h"

#include <functional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "collectives/in_process.h"
#include "common/thrown.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Model = DecoderRun::Model;

constexpr int64_t kLayers = 2;
constexpr Halves kUnd = {.und = true, .gen = false}, kBoth = {.und = true, .gen = true};

std::string Name(int64_t layer, const std::string& suffix) {
  return absl::StrCat("language_model.model.layers.", layer, ".mlp", suffix, ".up_proj.weight");
}

// Each layer has a frozen und half and a gen half that is trained for images, with its frozen copy.
std::vector<ShardUnit> Units(int ranks) {
  std::vector<std::pair<std::string, ShardedTensor>> tensors;
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    tensors.emplace_back(Name(layer, ""), ShardedTensor{.shape = {100}});
    for (const ShardOwner owner : {ShardOwner::kImage, ShardOwner::kReference})
      tensors.emplace_back(Name(layer, "_moe_gen"), ShardedTensor{.shape = {170}, .owner = owner});
  }
  return LayOutShards(tensors, ranks);
}

// One rank, whose policy has the values layer + 1, and whose reference has their negatives.
struct Rank {
  explicit Rank(Collectives& collectives, bool ordered = false)
      : shards(Units(collectives.size()), &collectives),
        gradients(shards, ordered),
        layers(shards, gradients, kLayers) {
    for (size_t i = 0; i < shards.size(); ++i) {
      const ShardUnit& unit = shards.unit(i);
      const auto value = static_cast<double>(*unit.layer + 1);
      TensorMap whole;
      for (const ShardUnit::Part& part : unit.parts)
        whole[part.tensor] = torch::full(part.shape, unit.owner == ShardOwner::kReference ? -value : value);
      shards.Fill(i, whole);
    }
  }
  // A pass whose gradients are `gradient` everywhere.
  void Run(const DecoderRun& run, double gradient = 0) {
    LayerSource& source = run.model == Model::kPolicy ? layers.policy() : layers.reference();
    for (int64_t i = 0; i < kLayers; ++i) {
      const int64_t layer = run.backward ? kLayers - 1 - i : i;
      const TensorMap weights = source.Gather(layer, run.halves);
      const auto sign = run.model == Model::kReference ? -1.0 : 1.0;
      EXPECT_EQ(weights.at(Name(layer, "")).sum().item<double>(), 100.0 * static_cast<double>(layer + 1));
      EXPECT_EQ(weights.size(), run.halves.gen ? 2 : 1);
      if (run.halves.gen) {
        EXPECT_EQ(weights.at(Name(layer, "_moe_gen")).sum().item<double>(),
                  sign * 170.0 * static_cast<double>(layer + 1));
      }
      if (!run.backward) continue;
      TensorMap found;
      for (const auto& [name, weight] : weights) {
        if (source.IsTrained(name)) found[name] = torch::full_like(weight, gradient);
      }
      source.AddGradients(layer, run.halves, found);
    }
  }
  // The gradients of this rank's parts, one value a unit that has any.
  std::vector<double> Found() {
    EXPECT_TRUE(gradients.Finish(8).ok());
    std::vector<double> found;
    for (size_t i = 0; i < shards.size(); ++i) {
      if (shards.part(i).grad().defined()) found.push_back(shards.part(i).grad()[0].item<double>());
    }
    return found;
  }

  Shards shards;
  ShardGradients gradients;
  LayerExchange layers;
};

void OnRanks(int count, const std::function<void(int, Collectives&)>& work) {
  const std::vector<std::unique_ptr<Collectives>> collectives = MakeInProcess(count, absl::Seconds(30));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < count; ++rank)
    threads.emplace_back([&, rank] { work(rank, *collectives[static_cast<size_t>(rank)]); });
  for (std::thread& thread : threads) thread.join();
}

const std::vector<DecoderRun> kPlan = {
    {Model::kPolicy, kBoth}, {Model::kReference, kUnd}, {Model::kPolicy, kBoth, /*backward=*/true}};

TEST(LayerExchange, GathersTwiceAndScattersOnceForEachUnit) {
  OnRanks(3, [](int, Collectives& collectives) {
    Rank rank(collectives);
    rank.layers.Follow(kPlan, [&] {
      for (const DecoderRun& run : kPlan) rank.Run(run, 2);
    });
    // Forward and backward of two units a layer, and the reference's frozen one.
    EXPECT_EQ(rank.layers.counts().gathers, kLayers * (2 * 2 + 1));
    EXPECT_EQ(rank.layers.counts().scatters, kLayers);
    EXPECT_THAT(rank.Found(), ElementsAre(6, 6));
  });
}

// A rank without a group, and one whose group fails at any point of the plan: the others get theirs.
TEST(LayerExchange, FollowsThePlanToItsEndWhateverARankHas) {
  for (size_t failing = 0; failing <= kPlan.size(); ++failing) {
    OnRanks(3, [failing](int index, Collectives& collectives) {
      Rank rank(collectives);
      const absl::Status status = TryToRun([&] {
        const auto compute = [&] {
          for (size_t i = 0; i < kPlan.size(); ++i) {
            TORCH_CHECK(index != 1 || i != failing, "the group fails");
            rank.Run(kPlan[i], 1);
          }
        };
        rank.layers.Follow(kPlan, index == 2 ? std::function<void()>() : compute);
      });
      EXPECT_EQ(status.ok(), index != 1 || failing == kPlan.size()) << status;
      const double sum = failing == kPlan.size() ? 2 : 1;  // the backward comes last
      EXPECT_THAT(rank.Found(), ElementsAre(sum, sum));
    });
  }
}

TEST(LayerExchange, RefusesPassesThatAreNotInThePlan) {
  const auto collectives = MakeInProcess(1, absl::Seconds(30));
  Rank rank(*collectives[0]);
  const std::vector<DecoderRun> other = {{Model::kReference, kUnd}, {Model::kPolicy, kUnd}};
  const absl::Status status = TryToRun([&] { rank.layers.Follow(other, [&] { rank.Run(other[1]); }); });
  EXPECT_THAT(std::string(status.message()), HasSubstr("out of turn"));
  const absl::Status shorter = TryToRun([&] { rank.layers.Follow(other, [&] { rank.Run(other[0]); }); });
  EXPECT_THAT(std::string(shorter.message()), HasSubstr("ended at 2 of 4"));
}

// In ordered mode gradients are kept by group; those of a group that nobody counts are left out.
TEST(LayerExchange, KeepsGroupsApartInOrderedMode) {
  OnRanks(2, [](int index, Collectives& collectives) {
    Rank rank(collectives, /*ordered=*/true);
    for (const size_t turn : {size_t{0}, size_t{1}}) {
      rank.gradients.BeginGroups(turn == 0 ? GroupWork::Places{3, 0} : GroupWork::Places{std::nullopt, 9});
      const auto compute = [&] {
        for (const DecoderRun& run : kPlan) rank.Run(run, index + 1.0);
      };
      rank.layers.Follow(kPlan, turn == 0 || index == 1 ? std::function<void()>(compute) : nullptr);
    }
    EXPECT_THAT(rank.Found(), ElementsAre(3, 3));  // of places 0 and 3, not of 9
  });
}

TEST(LayerExchange, EndsWithTheRanks) {
  auto collectives = MakeInProcess(2, absl::Seconds(30));
  collectives[1].reset();
  Rank rank(*collectives[0]);
  const absl::Status status = TryToRun([&] { rank.layers.Follow(kPlan, nullptr); });
  EXPECT_THAT(std::string(status.message()), HasSubstr("no longer work together"));
}

TEST(PassPlan, OfImagesHasAForwardForEachWindowStepAndMicroBatch) {
  ObjectiveSettings settings;
  settings.group_size = 5;
  settings.window_size = 2;
  settings.micro_batch = 2;
  EXPECT_EQ(GradientRuns(GroupTask::kImage, settings).size(), 2 * 3 * 2);
  EXPECT_EQ(ContextRuns(GroupTask::kImage, settings).size(), settings.image.kl_beta > 0 ? 2 : 1);
  EXPECT_EQ(EvaluationRuns(GroupTask::kImage, settings).size(), 2 * 3);
  settings.image.kl_beta = 0;
  settings.micro_batch = 0;
  EXPECT_EQ(GradientRuns(GroupTask::kImage, settings).size(), 2 * 2);
  settings.image.kl_beta = 1;
  EXPECT_EQ(GradientRuns(GroupTask::kImage, settings).size(), 3 * 2);
  settings.text.beta = 0;
  EXPECT_TRUE(ContextRuns(GroupTask::kText, settings).empty());
  settings.text.beta = 1;
  EXPECT_EQ(ContextRuns(GroupTask::kText, settings).size(), 3);
  for (const DecoderRun& run : GradientRuns(GroupTask::kText, settings)) EXPECT_FALSE(run.halves.gen);
}

}  // namespace
}  // namespace lvrpo
