#include "learner/shards/shard_layout.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> NamesOf(const std::vector<ShardUnit>& units) {
  std::vector<std::string> names;
  for (const ShardUnit& unit : units) names.push_back(unit.name);
  return names;
}

std::string InLayer(int layer, const std::string& name) {
  return "language_model.model.layers." + std::to_string(layer) + "." + name + ".weight";
}

TEST(LayOutShards, PutsAHalfOfALayerInOneUnitForEachOwner) {
  const ShardedTensor frozen = {.shape = {4, 16}}, image = {.shape = {4, 16}, .owner = ShardOwner::kImage},
                      text = {.shape = {3}, .owner = ShardOwner::kText},
                      reference = {.shape = {4, 16}, .owner = ShardOwner::kReference},
                      half = {.shape = {4, 16}, .dtype = torch::kBFloat16};
  const std::vector<ShardUnit> units = LayOutShards({{InLayer(10, "mlp_moe_gen.up_proj"), image},
                                                     {InLayer(10, "mlp_moe_gen.up_proj"), reference},
                                                     {InLayer(2, "mlp.up_proj"), frozen},
                                                     {InLayer(2, "mlp.down_proj"), text},
                                                     {InLayer(2, "mlp.gate_proj"), half},
                                                     {InLayer(2, "mlp.experts.0.up_proj"), frozen},
                                                     {"vae2llm.weight", image},
                                                     {"lm_head.weight", frozen},
                                                     {"llm2vae.weight", reference}},
                                                    1);
  EXPECT_THAT(NamesOf(units), ElementsAre("layers.2.pool.frozen", "layers.2.und.frozen",
                                          "layers.2.und.frozen.16", "layers.2.und.text",
                                          "layers.10.gen.image", "layers.10.gen.reference", "rest.image"));
  EXPECT_EQ(units[1].dtype, torch::kFloat32);
  EXPECT_EQ(units[2].dtype, torch::kBFloat16);
  const Halves und = {.und = true, .gen = false}, gen = {.und = false, .gen = true};
  EXPECT_TRUE(units[0].NeededFor(und) && units[0].NeededFor(gen));
  EXPECT_TRUE(units[1].NeededFor(und) && !units[1].NeededFor(gen));
  EXPECT_TRUE(units[4].NeededFor(gen) && !units[4].NeededFor(und));
}

TEST(LayOutShards, AlignsPartsAndGivesEachRankTheSame) {
  for (const int ranks : {1, 2, 3, 8}) {
    const std::vector<ShardUnit> units = LayOutShards(
        {{InLayer(0, "mlp.b"), {.shape = {65}}}, {InLayer(0, "mlp.a"), {.shape = {2, 3}}}}, ranks);
    ASSERT_EQ(units.size(), 1);
    EXPECT_EQ(units[0].parts[0].tensor, InLayer(0, "mlp.a"));
    EXPECT_EQ(units[0].parts[0].begin, 0);
    EXPECT_EQ(units[0].parts[1].begin, kShardAlignment);
    EXPECT_EQ(units[0].count % (ranks * kShardAlignment), 0);
    EXPECT_GE(units[0].count, kShardAlignment + 65);
    EXPECT_LT(units[0].count, kShardAlignment + 65 + (ranks + 1) * kShardAlignment);
  }
}

// Nothing of a model is lost, and nothing twice.
TEST(LayOutShards, HoldsEveryLayerOfAModel) {
  std::vector<std::pair<std::string, ShardedTensor>> tensors;
  size_t in_layers = 0;
  for (const auto& [name, shape] : Bagel::ExpectedTensors(TinyConfig())) {
    tensors.emplace_back(name, ShardedTensor{.shape = shape});
    in_layers += Bagel::LayerOf(name).has_value() ? 1 : 0;
  }
  size_t parts = 0;
  for (const ShardUnit& unit : LayOutShards(tensors, 2)) {
    parts += unit.parts.size();
    EXPECT_FALSE(unit.trained());
  }
  EXPECT_EQ(parts, in_layers);
}

}  // namespace
}  // namespace lvrpo
