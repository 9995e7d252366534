#include "rollout_worker/policy_holder.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/rollout_worker/world.h"
#include "tests/weight_plane/memory_transport.h"
#include "tests/weight_plane/some_weights.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PolicyHolderTest : public ::testing::Test {
 protected:
  static constexpr char kName[] = "llm2vae.weight";
  static torch::Tensor Trained() { return TheWorld().base.tensors().at(kName); }

  PolicyHolderTest()
      : holder_(
            TheWorld().base, {{kName, Trained().sizes().vec()}},
            *MakePolicy(TheWorld().base, {}, Version(0, "base")),
            {.fetch =
                 [this](const WantedWeights& wanted) {
                   MemoryWeightStream stream(std::make_shared<PackedWeights>(CopyOf(next_)));
                   return ReceiveAll(stream, wanted, [this](int64_t bytes) { fetched_ += bytes; });
                 },
             .offer = [this](std::shared_ptr<const PackedWeights> weights) { offered_ = std::move(weights); },
             .acknowledge =
                 [this](const v1::PolicyVersion& version) {
                   EXPECT_EQ(offered_->manifest.version().number(), version.number());
                   acknowledged_.push_back(version.number());
                   return acknowledge_;
                 }},
            metrics_) {}

  PackedWeights next_;
  std::shared_ptr<const PackedWeights> offered_;
  int64_t fetched_ = 0;  // bytes
  std::vector<int64_t> acknowledged_;
  absl::Status acknowledge_;
  Metrics metrics_;
  PolicyHolder holder_;
};

// What is published is fp32; a bf16 policy computes with its rounding.
TEST_F(PolicyHolderTest, TakesPublishedWeightsInTheDtypeOfThePolicy) {
  TensorMap tensors = TheWorld().base.tensors();
  for (auto& [name, tensor] : tensors) tensor = tensor.to(torch::kBFloat16);
  const Bagel base = *Bagel::Create(TheWorld().base.config(), std::move(tensors), "bf16");
  const auto policy = MakePolicy(base, {{kName, Trained() * 3}}, Version(1, "next"));
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_TRUE(torch::equal((*policy)->model.tensors().at(kName), (Trained() * 3).to(torch::kBFloat16)));
}

TEST_F(PolicyHolderTest, SwapsOnlyWholeAndCheckedVersions) {
  const TensorMap changed = {{kName, Trained() * 2}};
  const PackedWeights good = PackWeights(changed, 1);
  const v1::PolicyVersion wanted = good.manifest.version();
  const std::shared_ptr<const Policy> before = holder_.current();

  // Other values that would load, under the same number.
  next_ = PackWeights({{kName, Trained() * 3}}, 1);
  EXPECT_TRUE(absl::IsDataLoss(holder_.Update(wanted, 1)));
  EXPECT_THAT(holder_.trouble(), HasSubstr("instead of"));
  EXPECT_EQ(fetched_, 0);
  // A byte that changed after packing.
  next_ = CopyOf(good);
  next_.buckets[0].data()[5] ^= 1;
  EXPECT_TRUE(absl::IsDataLoss(holder_.Update(wanted, 1)));
  EXPECT_EQ(holder_.current(), before);
  EXPECT_TRUE(acknowledged_.empty());
  EXPECT_EQ(offered_, nullptr);
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_rollout_weight_failures_total 2\n"));

  next_ = CopyOf(good);
  ASSERT_TRUE(holder_.Update(wanted, 1).ok());
  ASSERT_TRUE(holder_.Update(wanted, 1).ok());  // nothing to do
  EXPECT_THAT(acknowledged_, ElementsAre(1));
  EXPECT_EQ(holder_.trouble(), "");
  EXPECT_EQ(holder_.current()->version.number(), 1);
  EXPECT_TRUE(torch::equal(holder_.current()->model.tensors().at(kName), changed.at(kName)));
  // A holder of the old version sees no change.
  EXPECT_TRUE(torch::equal(before->model.tensors().at(kName), Trained()));
}

TEST_F(PolicyHolderTest, FetchesNothingThatIsNotTheRunsOwn) {
  torch::Tensor spoiled = Trained().clone();
  spoiled.view(-1)[3] = NAN;
  const torch::Tensor good = Trained();
  for (const TensorMap& tensors : std::vector<TensorMap>{
           {{"no.such.tensor", torch::zeros({2})}},
           {{kName, torch::zeros({2})}},
           {{kName, good}, {"vae2llm.weight", TheWorld().base.tensors().at("vae2llm.weight")}},
           {}}) {
    next_ = PackWeights(tensors, 1);
    EXPECT_TRUE(absl::IsDataLoss(holder_.Update(next_.manifest.version(), 1)));
    EXPECT_EQ(fetched_, 0);
  }
  next_ = PackWeights({{kName, spoiled}}, 1);
  const absl::Status status = holder_.Update(next_.manifest.version(), 1);
  EXPECT_THAT(std::string(status.message()), HasSubstr("not finite"));
  EXPECT_EQ(holder_.current()->version.number(), 0);
  EXPECT_EQ(offered_, nullptr);
  // They would be the same again.
  const int64_t fetched = fetched_;
  EXPECT_EQ(holder_.Update(next_.manifest.version(), 1), status);
  EXPECT_EQ(fetched_, fetched);
  next_ = PackWeights({{kName, good}}, 2);
  EXPECT_TRUE(holder_.Update(next_.manifest.version(), 1).ok());
}

TEST_F(PolicyHolderTest, IsGoodForLeasesOnlyWhenAcknowledged) {
  EXPECT_EQ(holder_.acknowledged(1), nullptr);
  next_ = PackWeights({{kName, Trained()}}, 1);
  v1::PolicyVersion version = next_.manifest.version();
  acknowledge_ = absl::UnavailableError("gone");
  EXPECT_FALSE(holder_.Update(version, 1).ok());
  EXPECT_EQ(holder_.acknowledged(1), nullptr);  // swapped in, and not known to the coordinator
  EXPECT_EQ(holder_.trouble(), "gone");
  acknowledge_ = absl::OkStatus();
  EXPECT_TRUE(holder_.Update(version, 1).ok());
  EXPECT_EQ(holder_.acknowledged(1), holder_.current());
  // Another registration, or another version with the same weights, has to be acknowledged anew.
  EXPECT_EQ(holder_.acknowledged(2), nullptr);
  EXPECT_TRUE(holder_.Update(version, 2).ok());
  EXPECT_NE(holder_.acknowledged(2), nullptr);
  next_ = PackWeights({{kName, Trained()}}, 2);
  EXPECT_TRUE(holder_.Update(next_.manifest.version(), 2).ok());
  EXPECT_THAT(acknowledged_, ElementsAre(1, 1, 1, 2));
}

}  // namespace
}  // namespace lvrpo
