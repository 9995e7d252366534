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

}  // namespace
}  // namespace lvrpo
