#include "policy/learner_memory.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/bagel_folder.h"
#include "policy/run_policy.h"
#include "tests/learner/tiny_run.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

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
    return PlanLearner(config, {}, load, ranks, rank).value();
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

// Of every layer a whole rank keeps what its graph needs; the gradients of activations are there once.
TEST(PlanLearner, CountsActivationsOfWholeRanksByLayerAndTheirGradientsOnce) {
  Bagel7b run;
  run.config.mutable_learner()->set_sharded(false);
  const int64_t rows = 8 * (run.config.rollout().cfg_scale() > 1 ? 2 : 1), tokens = rows * 1026;
  // fp32: sums and outputs of two norms; q, k and v twice; the attention's output twice; gate, up, product.
  constexpr int64_t kKept = 4 * (4 * 3584 + 2 * (3584 + 2 * 512) + 2 * 3584 + 3 * 18944);
  const int64_t prompts = rows * 64 * 2 * 512 * 4;
  const RoleMemory whole = run.Plan(1);
  EXPECT_EQ(BytesOf(whole, "activations"), 28 * (tokens * kKept + prompts));
  EXPECT_EQ(BytesOf(whole, "a layer's activations' gradients"), tokens * 4 * (3 * 3584 + 3 * 18944));
  run.config.mutable_learner()->set_sharded(true);
  EXPECT_EQ(BytesOf(run.Plan(1), "activations of a layer"),
            tokens * kKept + prompts + BytesOf(whole, "a layer's activations' gradients"));
}

TEST(PlanLearner, HasFp32MastersOfBf16Weights) {
  Bagel7b run;
  const RoleMemory fp32 = run.Plan(4);
  run.config.mutable_model()->set_weights_dtype("bf16");
  const RoleMemory bf16 = run.Plan(4);
  for (const char* same : {"master weights", "gradients", "Adam's two moments", "published versions"})
    EXPECT_EQ(BytesOf(bf16, same), BytesOf(fp32, same)) << same;
  for (const char* half :
       {"frozen weights of the layers", "gathered layers", "the reference's trained tensors"})
    EXPECT_EQ(BytesOf(bf16, half), BytesOf(fp32, half) / 2) << half;
  EXPECT_GT(BytesOf(run.Plan(1), "gathered layers"), 0);  // casts of the masters
}

// Many sharded ranks keep less than the whole model, which is there when it must be cast.
TEST(PlanLearner, CountsAModelThatIsCastWhileItLoads) {
  Bagel7b run;
  const int64_t mapped = run.Plan(64, 1).total();
  run.load.casts = true;
  EXPECT_GT(run.Plan(64, 1).total(), mapped);
  EXPECT_GT(run.Plan(64, 1).total(), 14'000'000'000 * 4);
  run.config.mutable_learner()->set_sharded(false);
  EXPECT_EQ(BytesOf(run.Plan(1), "the model while it loads"), 0);
}

TEST(CastsWeights, TellsFilesOfAnotherDtypeThanTheRuns) {
  const absl::StatusOr<BagelFolder> folder = OpenBagelFolder("assets/shapes/policy");  // bf16
  ASSERT_TRUE(folder.ok()) << folder.status();
  v1::RunConfig config = DefaultRunConfig();
  config.mutable_model()->set_weights_dtype("fp32");
  EXPECT_TRUE(CastsWeights(config, folder->weights));
  config.mutable_model()->set_weights_dtype("bf16");
  EXPECT_FALSE(CastsWeights(config, folder->weights));
}

TEST(PlanLearner, KeepsGradientsByGroupForOrderedSums) {
  Bagel7b run;
  run.config.mutable_train()->set_groups_per_step(6);
  run.config.mutable_learner()->set_ordered_sums(true);
  const int64_t gradients = BytesOf(run.Plan(1), "gradients");
  EXPECT_EQ(BytesOf(run.Plan(4), "gradients by group"), 6 * gradients / 4);
  run.config.mutable_learner()->set_sharded(false);
  EXPECT_EQ(BytesOf(run.Plan(4), "gradients by group"), 2 * gradients);  // of its own
}

TEST(PlanLearner, TellsTheHostsMemoryFromTheDevices) {
  Bagel7b run;
  const RoleMemory cpu = run.Plan(2);
  EXPECT_EQ(cpu.total(MemoryPlace::kDevice), 0);
  run.config.mutable_learner()->set_offload(true);
  EXPECT_EQ(run.Plan(2).total(), cpu.total());  // the masters are there already
  run.config.mutable_learner()->set_device("cuda");
  const auto places = [&](MemoryPlace place) {
    std::vector<std::string> lines;
    for (const MemoryLine& line : run.Plan(2).lines) {
      if (line.place == place) lines.push_back(line.what);
    }
    return lines;
  };
  EXPECT_THAT(places(MemoryPlace::kHost),
              ElementsAre("master weights", "gradients for the optimizer", "Adam's two moments",
                          "moments of a checkpoint that is written", "trained tensors to publish",
                          "published versions", "a checkpoint that is written", "the gradient's norm"));
  run.config.mutable_learner()->set_offload(false);
  EXPECT_THAT(places(MemoryPlace::kHost),
              ElementsAre("moments of a checkpoint that is written", "trained tensors to publish",
                          "published versions", "a checkpoint that is written"));
  EXPECT_THAT(places(MemoryPlace::kDevice), Not(Contains("weights in the CPU's order")));
  EXPECT_THAT(places(MemoryPlace::kDevice), Contains("the model while it loads"));
}

// As the training refuses it, before anything is read.
TEST(PlanLearner, RefusesWhatCannotBeTrained) {
  using Change = std::function<void(v1::RunConfig&)>;
  const auto train = [](v1::RunConfig& config, const char* pattern) {
    config.mutable_train()->mutable_image()->clear_trainable();
    config.mutable_train()->mutable_image()->add_trainable(pattern);
  };
  struct {
    const char* what;
    Change change;
    const char* words;
  } cases[] = {
      {"no tensor", [&](auto& c) { train(c, "no_such"); },
       "train.image.trainable: no tensor of the policy matches [no_such]"},
      {"no linear layer at all",
       [&](auto& c) {
         train(c, "layernorm");
         c.mutable_train()->mutable_lora()->set_rank(4);
       },
       "train.lora: no linear layer of the policy matches"},
      {"no linear layer of a task",
       [&](auto& c) {
         c.mutable_train()->mutable_lora()->set_rank(4);
         c.mutable_data()->add_text_prompts("texts");
         c.mutable_data()->set_text_fraction(.5);
         c.mutable_train()->mutable_text()->clear_trainable();
         c.mutable_train()->mutable_text()->add_trainable("embed_tokens");
       },
       "train.text.trainable: no linear layer of the policy matches [embed_tokens]"},
      {"a rank above a layer's sides", [](auto& c) { c.mutable_train()->mutable_lora()->set_rank(600); },
       "train.lora: cannot add LoRA: rank 600 is above the smaller side"},
      {"sets that overlap",
       [](auto& c) {
         c.mutable_data()->add_text_prompts("texts");
         c.mutable_data()->set_text_fraction(.5);
         c.mutable_train()->mutable_text()->clear_trainable();
         c.mutable_train()->mutable_text()->add_trainable("down_proj");
       },
       "both match language_model.model.layers.0.mlp_moe_gen.down_proj.weight"},
  };
  for (const auto& c : cases) {
    Bagel7b run;
    c.change(run.config);
    const absl::Status status = PlanLearner(run.config, {}, run.load, 1).status();
    EXPECT_FALSE(status.ok()) << c.what;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.words)) << c.what;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\n"))) << c.what;
  }
}

TEST(AssumedLoad, RefusesWhatTheModelCannotTake) {
  Bagel7b run;
  run.config.mutable_rollout()->set_image_size(512);
  EXPECT_EQ(AssumedLoad(run.config, {})->image_tokens, 1024);
  run.config.mutable_rollout()->set_image_size(1001);
  EXPECT_THAT(std::string(AssumedLoad(run.config, {}).status().message()), HasSubstr("rollout.image_size"));
  run.config.mutable_data()->clear_image_prompts();
  run.config.mutable_data()->add_text_prompts("texts");
  run.config.mutable_rollout()->set_max_text_tokens(1000);
  EXPECT_EQ(AssumedLoad(run.config, {})->answer_tokens, 1000);
  run.config.mutable_rollout()->set_max_text_tokens(50000);
  EXPECT_THAT(std::string(AssumedLoad(run.config, {}).status().message()),
              HasSubstr("the model's longest is 32768"));
}

TEST(PlanLearner, ShrinksWithRanksOnlyWhenSharded) {
  Bagel7b run;
  EXPECT_LT(run.Plan(16).total(), run.Plan(4).total());
  EXPECT_LT(run.Plan(4, 1).total(), run.Plan(4, 0).total());  // rank 0 publishes
  run.config.mutable_learner()->set_sharded(false);
  EXPECT_EQ(BytesOf(run.Plan(16), "master weights"), BytesOf(run.Plan(1), "master weights"));
}

TEST(PlanLearner, KnowsAdaptersKlAndSeveralUpdates) {
  Bagel7b run;
  const RoleMemory full = run.Plan(4);
  run.config.mutable_train()->set_image_kl_beta(0);
  run.config.mutable_train()->set_text_kl_beta(0);
  // That of the final norm stays, which is no layer's.
  EXPECT_EQ(BytesOf(run.Plan(4), "the reference's trained tensors"), 3584 * 4);
  EXPECT_GT(BytesOf(full, "the reference's trained tensors"), 3584 * 4);
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
  const RoleMemory apart = {"learner",
                            {{"masters", 30'000'000'000, "", MemoryPlace::kHost},
                             {"gradients", 9'000'000'000, "", MemoryPlace::kDevice},
                             {"activations", 8'000'000'000, "", MemoryPlace::kDevice}}};
  EXPECT_TRUE(CheckMemory(apart, 30'000'000'000, 17'000'000'000).ok());
  EXPECT_THAT(std::string(CheckMemory(apart, 31'000'000'000, 16'000'000'000).message()),
              AllOf(HasSubstr("needs 17.0 GB of its device's memory, and the device has 16.0 GB"),
                    HasSubstr("gradients (9.0 GB)"), HasSubstr("learner.offload")));
  EXPECT_THAT(std::string(CheckMemory(apart, 29'000'000'000, std::nullopt).message()),
              HasSubstr("masters (30.0 GB)"));
}

}  // namespace
}  // namespace lvrpo
