#include "common/config/reward_config.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(ComponentWeights, AreOfWhatCountsAndTheRestIsLogged) {
  v1::RewardConfig config;
  config.set_instruction_weight(1);
  config.add_guards("artefacts");
  config.add_logged("grounding");
  for (const auto& [name, weight] : {std::pair{"brand", 2.0}, {"tone", 0.0}}) {
    config.add_external()->set_name(name);
    config.mutable_external()->rbegin()->set_weight(weight);
  }
  EXPECT_THAT(ComponentWeights(config),
              ElementsAre(Pair("brand", 2), Pair("exact_match", 1), Pair("instruction", 1)));
  EXPECT_THAT(LoggedNames(config), ElementsAre("artefacts", "grounding", "tone"));
}

TEST(ScheduledWeights, LieOnLinesBetweenThePoints) {
  v1::RewardConfig config;
  config.set_instruction_weight(1);
  config.set_grounding_weight(.5);
  for (const auto& [step, weight] : {std::pair{100, 3.0}, {0, 1.0}, {200, 0.0}}) {  // in any order
    v1::RewardWeightConfig& point = *config.add_schedule();
    point.set_component("grounding");
    point.set_step(step);
    point.set_weight(weight);
  }
  for (const auto& [step, weight] : {std::pair{0, 1.}, {50, 2.}, {100, 3.}, {150, 1.5}, {200, 0.}, {999, 0.}})
    EXPECT_DOUBLE_EQ(ScheduledWeights(config, step).at("grounding"), weight) << step;
  EXPECT_EQ(ScheduledWeights(config, 50).at("instruction"), 1);
  config.clear_schedule();
  EXPECT_EQ(ScheduledWeights(config, 50), ComponentWeights(config));
}

}  // namespace
}  // namespace lvrpo
