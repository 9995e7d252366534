#include "policy/learner_memory.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/tiny_run.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

int64_t BytesOf(const RoleMemory& memory, const std::string& what) {
  for (const MemoryLine& line : memory.lines) {
    if (line.what == what) return line.bytes;
  }
  return 0;
}

// BAGEL-7B-MoT's generation half in full, in groups of 8 images of 512 pixels with guidance.
struct Bagel7b {
  Bagel7b() {
    config = DefaultRunConfig();
    config.mutable_data()->add_image_prompts("images");
    config.mutable_train()->mutable_image()->clear_trainable();
    config.mutable_train()->mutable_image()->add_trainable("_moe_gen");
    config.mutable_rollout()->set_group_size(8);
    config.mutable_learner()->set_sharded(true);
  }
  RoleMemory Plan(int64_t ranks, int64_t rank = 0) const {
    return PlanLearner(config, {}, load, ranks, rank);
  }

  v1::RunConfig config;
  LearnerLoad load = {.image_context = 64, .image_tokens = 1024};
};

TEST(PlanLearner, AgreesWithFiguresWorkedByHand) {
  const Bagel7b run;
  // A half of a layer: q and o 3584^2, k and v 512 x 3584, three of 18944 x 3584; biases of q, k and v, two
  // norms, and the norms of q and k.
  constexpr int64_t kHalf =
      2 * 3584 * 3584 + 2 * 512 * 3584 + 3 * 18944 * 3584 + (3584 + 2 * 512) + 2 * 3584 + 2 * 128;
  constexpr int64_t kTrained = 28 * kHalf + 3584;  // with the final norm
  const RoleMemory one = run.Plan(1), eight = run.Plan(8);
  EXPECT_EQ(BytesOf(one, "master weights"), 4 * kTrained);
  EXPECT_EQ(BytesOf(eight, "master weights"), 4 * kTrained / 8);
  EXPECT_EQ(BytesOf(eight, "Adam's two moments"), kTrained);
  EXPECT_EQ(BytesOf(eight, "frozen weights of the layers"), 28 * kHalf * 4 / 8);
  EXPECT_EQ(BytesOf(eight, "gathered layers"), 2 * 2 * kHalf * 4);
  EXPECT_EQ(BytesOf(one, "gathered layers"), 0);  // they are there
  EXPECT_EQ(BytesOf(eight, "inputs of the layers"),
            int64_t{8} * (run.config.rollout().cfg_scale() > 1 ? 2 : 1) * 1026 * 2 * 3584 * 4 * 28);
  EXPECT_EQ(BytesOf(run.Plan(8, 1), "trained tensors to publish"), 0);
}

TEST(PlanLearner, ShrinksWithRanksOnlyWhenSharded) {
  Bagel7b run;
  EXPECT_LT(run.Plan(16).total(), run.Plan(4).total());
  EXPECT_LT(run.Plan(4, 1).total(), run.Plan(4, 0).total());  // rank 0 publishes
  run.config.mutable_learner()->set_sharded(false);
  EXPECT_EQ(run.Plan(16).total(), run.Plan(1).total());
}

TEST(PlanLearner, KnowsAdaptersKlAndSeveralUpdates) {
  Bagel7b run;
  const RoleMemory full = run.Plan(4);
  run.config.mutable_train()->set_image_kl_beta(0);
  run.config.mutable_train()->set_text_kl_beta(0);
  EXPECT_EQ(BytesOf(run.Plan(4), "the reference's trained tensors"), 0);
  EXPECT_GT(BytesOf(full, "the reference's trained tensors"), 0);
  run.config.mutable_train()->set_updates_per_step(2);
  EXPECT_EQ(BytesOf(run.Plan(4), "weights and moments before the step"), 3 * BytesOf(full, "master weights"));
  run.config.mutable_train()->set_updates_per_step(1);
  run.config.mutable_train()->mutable_lora()->set_rank(64);
  run.config.mutable_train()->mutable_lora()->set_alpha(128);
  EXPECT_LT(BytesOf(run.Plan(4), "master weights"), BytesOf(full, "master weights") / 20);
  EXPECT_EQ(BytesOf(run.Plan(4), "frozen weights of the layers"),
            2 * BytesOf(full, "frozen weights of the layers"));
}

TEST(PlanLearner, CountsCopiesOfSteps) {
  Bagel7b run;
  EXPECT_EQ(BytesOf(run.Plan(1), "copies of steps"), 0);
  run.config.mutable_learner()->set_step_copies("/dev/shm/lvrpo");
  const int64_t masters = BytesOf(run.Plan(1), "master weights");
  EXPECT_EQ(BytesOf(run.Plan(1), "copies of steps"), 2 * 3 * masters);
  EXPECT_EQ(BytesOf(run.Plan(8, 3), "copies of steps"), 2 * 2 * 3 * masters / 8);  // and a neighbour's
  run.config.mutable_learner()->set_sharded(false);
  EXPECT_EQ(BytesOf(run.Plan(2, 0), "copies of steps"), 2 * 3 * masters);
  EXPECT_EQ(BytesOf(run.Plan(2, 1), "copies of steps"), 0);  // all have the same
}

TEST(CheckMemory, SaysWhatDoesNotFitAndWhatToDo) {
  const RoleMemory needed = {"learner", {{"weights", 3'000'000'000, ""}, {"gradients", 9'500'000'000, ""}}};
  EXPECT_TRUE(CheckMemory(needed, std::nullopt).ok());
  EXPECT_TRUE(CheckMemory(needed, 12'500'000'000).ok());
  const absl::Status refused = CheckMemory(needed, 12'400'000'000);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("needs 12.5 GB"), HasSubstr("has 12.4 GB"), HasSubstr("gradients (9.5 GB)"),
                    HasSubstr("learner.sharded")));
}

}  // namespace
}  // namespace lvrpo
