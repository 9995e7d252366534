#include "rollout_worker/generator.h"

#include <functional>

#include "common/hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "policy/run_policy.h"
#include "rollout_worker/policy_holder.h"
#include "tests/rollout_worker/world.h"
#include "trajectory/codec.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(Generator, GivesTheSameBytesForTheSameOrdinal) {
  World& world = TheWorld();
  const auto policy = *MakePolicy(world.base, {}, Version(0, "base"));
  std::map<int64_t, std::string> first;
  for (const int64_t ordinal : {0, 1, 2, 3}) {
    GeneratedGroup group = world.generator.Generate(*policy, world.prompts.At(ordinal), Lease(ordinal));
    EXPECT_TRUE(group.log_probs_finite);
    EXPECT_EQ(group.trajectory.samples_size(), 4);
    EXPECT_EQ(group.score_request.items_size(), 4);
    first[ordinal] = group.trajectory.SerializeAsString() + group.score_request.SerializeAsString();
  }
  // In another order, after other work, by another attempt (which only changes the attempt's number).
  for (const int64_t ordinal : {3, 1, 2, 0}) {
    GeneratedGroup group = world.generator.Generate(*policy, world.prompts.At(ordinal), Lease(ordinal, 5));
    group.trajectory.set_attempt(0);
    EXPECT_EQ(group.trajectory.SerializeAsString() + group.score_request.SerializeAsString(), first[ordinal]);
  }
}

TEST(Generator, StoresLogProbsThatCanBeComputedAgainExactly) {
  World& world = TheWorld();
  const auto policy = *MakePolicy(world.base, {}, Version(0, "base"));
  int64_t ordinal = 0;
  while (world.prompts.At(ordinal).record.task() != v1::TASK_KIND_IMAGE) ++ordinal;
  const PromptSource::Prompt& prompt = world.prompts.At(ordinal);
  const absl::StatusOr<SampledGroup> group =
      ReadGroup(world.generator.Generate(*policy, prompt, Lease(ordinal)).trajectory, prompt,
                {world.config, world.base.config()});
  ASSERT_TRUE(group.ok()) << group.status();
  const auto& images = std::get<ImageGroup>(group->samples);
  const VelocityFunction velocity =
      BagelVelocity(world.base, world.base.PrefillPrompt(prompt.ids), images.grid);
  EXPECT_TRUE(torch::equal(WindowLogProbs(velocity, images.latents, images.options), images.log_probs));
}

TEST(Generator, SamplesInTheWindowOfItsVersion) {
  World& world = TheWorld();
  v1::RunConfig config = world.config;
  config.mutable_rollout()->set_window_draw("sliding");
  config.mutable_rollout()->set_window_every(2);
  const Generator generator(config, LoadRunModel(config, torch::kCPU)->autoencoder, *world.tokenizer);
  int64_t ordinal = 0;
  while (world.prompts.At(ordinal).record.task() != v1::TASK_KIND_IMAGE) ++ordinal;
  for (const int64_t steps : {0, 3}) {
    const auto policy = *MakePolicy(world.base, {}, Version(steps, "base"));
    const auto group = generator.Generate(*policy, world.prompts.At(ordinal), Lease(ordinal));
    EXPECT_EQ(group.trajectory.image().window_begin(), config.rollout().window_lo() + steps / 2);
  }
}

TEST(Generator, MakesNoGroupLargerThanALearnerTakes) {
  World& world = TheWorld();
  const auto policy = *MakePolicy(world.base, {}, Version(0, "base"));
  const int64_t most = LargestGroupBytes({world.config, world.base.config()}, world.prompts);
  for (const int64_t ordinal : {0, 1, 2, 3}) {
    const auto group = world.generator.Generate(*policy, world.prompts.At(ordinal), Lease(ordinal));
    EXPECT_LT(group.trajectory.ByteSizeLong(), static_cast<size_t>(most));
  }
  EXPECT_LT(most, int64_t{32} << 20);
}

TEST(Generator, SamplesImagesOfThePromptsSize) {
  World& world = TheWorld();
  const auto policy = *MakePolicy(world.base, {}, Version(0, "base"));
  int64_t ordinal = 0;
  while (world.prompts.At(ordinal).record.task() != v1::TASK_KIND_IMAGE) ++ordinal;
  PromptSource::Prompt prompt = world.prompts.At(ordinal);
  prompt.grid = {.height = 2, .width = 3};
  const GeneratedGroup group = world.generator.Generate(*policy, prompt, Lease(ordinal));
  EXPECT_EQ(group.score_request.items(0).image().width(), 48);
  EXPECT_EQ(group.score_request.items(0).image().height(), 32);
  const auto read = ReadGroup(group.trajectory, prompt, {world.config, world.base.config()});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(std::get<ImageGroup>(read->samples).latents.size(2), 6);
}

TEST(Generator, APromptThatTheModelCannotTakeIsThePromptsFault) {
  World& world = TheWorld();
  const Policy policy{world.base, Version(0, "d")};
  int64_t text = 0, image = 0;
  while (world.prompts.At(text).record.task() != v1::TASK_KIND_TEXT) ++text;
  while (world.prompts.At(image).record.task() != v1::TASK_KIND_IMAGE) ++image;
  const auto refusal = [&](int64_t ordinal, const std::function<void(PromptSource::Prompt&)>& spoil) {
    PromptSource::Prompt prompt = world.prompts.At(ordinal);
    spoil(prompt);
    const absl::Status status = world.generator.TryGenerate(policy, prompt, Lease(ordinal)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  const auto most = static_cast<size_t>(world.base.config().max_positions);
  for (const int64_t ordinal : {text, image}) {
    EXPECT_THAT(refusal(ordinal, [](auto& prompt) { prompt.ids = {1000000}; }),
                HasSubstr("the token 1000000"));
    EXPECT_THAT(refusal(ordinal, [](auto& prompt) { prompt.ids = {-1}; }), HasSubstr("the token -1"));
    EXPECT_THAT(refusal(ordinal, [&](auto& prompt) { prompt.ids.assign(most, 1); }), HasSubstr("positions"));
    EXPECT_THAT(refusal(ordinal, [&](auto& prompt) { prompt.ids.assign(1000000, 1); }),
                HasSubstr("positions"));
  }
}

TEST(Generator, WhatBreaksInTheWorkerIsNotThePromptsFault) {
  World& world = TheWorld();
  const absl::StatusOr<std::shared_ptr<const Policy>> none = MakePolicy(world.base, {}, Version(0, "d"));
  ASSERT_TRUE(none.ok());
  int64_t image = 0;
  while (world.prompts.At(image).record.task() != v1::TASK_KIND_IMAGE) ++image;
  v1::Lease lease = Lease(image);
  lease.set_group_size(-1);  // nothing that LibTorch could make
  const absl::Status status = world.generator.TryGenerate(**none, world.prompts.At(image), lease).status();
  EXPECT_FALSE(status.ok());
  EXPECT_FALSE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
}

}  // namespace
}  // namespace lvrpo
