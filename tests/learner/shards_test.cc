#include "learner/shards/shards.h"

#include "gtest/gtest.h"
#include "learner/shards/shard_gradients.h"

namespace lvrpo {
namespace {

constexpr char kName[] = "language_model.model.layers.0.mlp_moe_gen.up_proj.weight";

// A bf16 unit that is trained, and its frozen copy of the reference.
std::vector<ShardUnit> Units() {
  const ShardedTensor trained = {.shape = {3, 50}, .dtype = torch::kBFloat16, .owner = ShardOwner::kImage};
  ShardedTensor frozen = trained;
  frozen.owner = ShardOwner::kReference;
  return LayOutShards({{kName, trained}, {kName, frozen}}, /*ranks=*/1);
}

TEST(Shards, GatherTheRoundingOfFp32Masters) {
  Shards shards(Units(), nullptr);
  for (size_t i = 0; i < shards.size(); ++i) {
    const torch::Tensor values = torch::linspace(0, 1, 150).view({3, 50});
    shards.Fill(i, {{kName, values}});
    const bool trained = shards.unit(i).trained();
    EXPECT_EQ(shards.part(i).scalar_type(), trained ? torch::kFloat32 : torch::kBFloat16);
    const TensorMap gathered = shards.Split(i, shards.Gather(i).result);
    EXPECT_TRUE(torch::equal(gathered.at(kName), values.to(torch::kBFloat16)));
    EXPECT_EQ(torch::equal(shards.Split(i, shards.part(i)).at(kName).to(torch::kFloat32), values), trained);
  }
}

// Tensors of the meta device have a place and no values: they stand for another memory.
TEST(Shards, KeepMastersApartFromWhatIsComputedWith) {
  const Shards shards(Units(), nullptr, {.masters = torch::kCPU, .compute = torch::kMeta});
  for (size_t i = 0; i < shards.size(); ++i) {
    EXPECT_EQ(shards.part(i).is_cpu(), shards.unit(i).trained()) << shards.unit(i).name;
    const torch::Tensor gathered = shards.Gather(i).result;
    EXPECT_TRUE(gathered.is_meta()) << shards.unit(i).name;
    EXPECT_EQ(gathered.scalar_type(), torch::kBFloat16);
    EXPECT_TRUE(shards.Flatten(i, {}, shards.devices().compute).is_meta());
  }
}

TEST(ShardGradients, GoWhereTheMastersAre) {
  for (const bool ordered : {false, true}) {
    const Shards shards(Units(), nullptr, {.masters = torch::kMeta, .compute = torch::kCPU});
    ShardGradients gradients(shards, ordered);
    gradients.BeginGroups({0});
    size_t trained = 0;
    while (!shards.unit(trained).trained()) ++trained;
    for (int pass = 0; pass < 2; ++pass) {
      gradients.Add(trained, {{kName, torch::ones({3, 50}, torch::kBFloat16)}});
      ASSERT_TRUE(gradients.Wait().ok());
    }
    ASSERT_TRUE(gradients.Finish(1).ok());
    EXPECT_TRUE(shards.part(trained).grad().is_meta());
    EXPECT_EQ(shards.part(trained).grad().scalar_type(), torch::kFloat32);
  }
}

}  // namespace
}  // namespace lvrpo
