#include "trajectory/codec.h"

#include <cmath>
#include <cstring>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trajectory/tiny_run.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

using Damages = std::vector<std::pair<std::string, std::function<void(v1::TrajectoryGroup&)>>>;

v1::TrajectoryGroup EncodedImages(const v1::RunConfig& config, const PromptSource::Prompt& prompt) {
  return EncodeGroup(SampleImageGroup(TinyModel(), config, 77, prompt), prompt.record, config.rollout());
}

v1::TrajectoryGroup EncodedTexts(const v1::RunConfig& config, const PromptSource::Prompt& prompt) {
  return EncodeGroup(SampleTextGroup(TinyModel(), config, 77, prompt), prompt.record, config.rollout());
}

void ExpectRefused(const v1::TrajectoryGroup& good, const PromptSource::Prompt& own,
                   const v1::RunConfig& config, const Damages& damages) {
  const absl::Status read = ReadGroup(good, own, TinyRules(config)).status();
  EXPECT_TRUE(read.ok()) << read;
  for (const auto& [words, damage] : damages) {
    v1::TrajectoryGroup bad = good;
    damage(bad);
    const absl::Status status = ReadGroup(bad, own, TinyRules(config)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << words;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
    EXPECT_THAT(std::string(status.message()), HasSubstr("ordinal 77"));
  }
}

void SetLatent(v1::TrajectoryGroup& group, float value) {
  std::memcpy(group.mutable_samples(3)->mutable_latents()->data() + 8, &value, 4);
}

TEST(ReadGroup, GivesTheImagesThatWereEncoded) {
  const v1::RunConfig config = TinyRun();
  const PromptSource::Prompt prompt = ImagePrompt({.height = 2, .width = 3});
  SampledGroup sampled = SampleImageGroup(TinyModel(), config, 77, prompt);
  sampled.attempt = 3;
  sampled.version.set_number(5);
  sampled.version.set_digest("abc");
  const v1::TrajectoryGroup encoded = EncodeGroup(sampled, prompt.record, config.rollout());
  const absl::StatusOr<SampledGroup> read = ReadGroup(encoded, prompt, TinyRules(config));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->ordinal, 77);
  EXPECT_EQ(read->attempt, 3);
  EXPECT_EQ(read->version.SerializeAsString(), sampled.version.SerializeAsString());
  EXPECT_EQ(read->prompt_ids, sampled.prompt_ids);
  const auto &before = std::get<ImageGroup>(sampled.samples), &after = std::get<ImageGroup>(read->samples);
  EXPECT_TRUE(torch::equal(after.latents, before.latents));
  EXPECT_TRUE(torch::equal(after.log_probs, before.log_probs));
  EXPECT_EQ(after.grid, before.grid);
  EXPECT_EQ(after.options.timesteps, before.options.timesteps);
  EXPECT_EQ(after.options.window, before.options.window);
  EXPECT_EQ(after.options.kernel, before.options.kernel);
  EXPECT_EQ(after.options.noise_level, before.options.noise_level);
  // And so on: reading and encoding again changes no byte.
  EXPECT_EQ(EncodeGroup(*read, prompt.record, config.rollout()).SerializeAsString(),
            encoded.SerializeAsString());
}

TEST(ReadGroup, KnowsWhereTheWindowOfAVersionLies) {
  const PromptSource::Prompt prompt = ImagePrompt({.height = 2, .width = 3});
  for (const char* draw : {"fixed", "sliding"}) {
    v1::RunConfig config = TinyRun();
    config.mutable_rollout()->set_window_draw(draw);
    config.mutable_rollout()->set_window_every(2);
    const bool slides = config.rollout().window_draw() == "sliding";
    for (const auto& [steps, begin] : {std::pair(1, 0), {2, 1}, {5, 2}, {6, 0}}) {
      SampledGroup sampled = SampleImageGroup(TinyModel(), config, 77, prompt, steps);
      sampled.version.set_number(steps);
      EXPECT_EQ(std::get<ImageGroup>(sampled.samples).options.window.begin, slides ? begin : 0);
      v1::TrajectoryGroup encoded = EncodeGroup(sampled, prompt.record, config.rollout());
      EXPECT_TRUE(ReadGroup(encoded, prompt, TinyRules(config)).ok()) << draw << steps;
      encoded.mutable_version()->set_number(steps + 2);
      EXPECT_EQ(ReadGroup(encoded, prompt, TinyRules(config)).ok(), !slides) << draw << steps;
    }
  }
}

TEST(ReadGroup, GivesTheTextsThatWereEncoded) {
  const v1::RunConfig config = TinyRun();
  const PromptSource::Prompt prompt = TextPrompt();
  const SampledGroup sampled = SampleTextGroup(TinyModel(), config, 77, prompt);
  const v1::TrajectoryGroup encoded = EncodeGroup(sampled, prompt.record, config.rollout());
  const absl::StatusOr<SampledGroup> read = ReadGroup(encoded, prompt, TinyRules(config));
  ASSERT_TRUE(read.ok()) << read.status();
  const auto &before = std::get<TextGroup>(sampled.samples), &after = std::get<TextGroup>(read->samples);
  EXPECT_EQ(after.ids, before.ids);
  EXPECT_EQ(after.log_probs, before.log_probs);
  EXPECT_EQ(after.image.pixels, prompt.source_image.pixels);
  EXPECT_EQ(EncodeGroup(*read, prompt.record, config.rollout()).SerializeAsString(),
            encoded.SerializeAsString());
}

TEST(ReadGroup, RefusesImageGroupsThatNoHonestWorkerSends) {
  const v1::RunConfig config = TinyRun();
  v1::TrajectoryGroup good = EncodedImages(config, ImagePrompt());
  SetLatent(good, -9.9e3f);  // far out, and still possible
  ExpectRefused(
      good, ImagePrompt(), config,
      {{"wrong number of latents",
        [](v1::TrajectoryGroup& g) { g.mutable_samples(1)->mutable_latents()->pop_back(); }},
       {"wrong number of latents", [](v1::TrajectoryGroup& g) { g.mutable_samples(1)->clear_latents(); }},
       {"wrong number of latents",
        [](v1::TrajectoryGroup& g) { g.mutable_samples(1)->mutable_log_probs()->RemoveLast(); }},
       {"window", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_window_begin(5); }},
       {"window",
        [](v1::TrajectoryGroup& g) { g.mutable_image()->set_window_begin(g.image().window_begin() ^ 1); }},
       {"window", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_window_begin(INT32_MAX); }},
       {"window", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_window_size(0); }},
       {"another shape", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_token_dim(3); }},
       {"another shape",
        [](v1::TrajectoryGroup& g) {  // must be refused before anything of this size is allocated
          g.mutable_image()->set_grid_height(1 << 20);
          g.mutable_image()->set_tokens(1 << 22);
        }},
       {"another shape",
        [](v1::TrajectoryGroup& g) {  // one that the model could take, and the prompt does not ask for
          g.mutable_image()->set_grid_height(2);
          g.mutable_image()->set_grid_width(8);
        }},
       {"has 3 samples", [](v1::TrajectoryGroup& g) { g.mutable_samples()->RemoveLast(); }},
       {"has 1004 samples",
        [](v1::TrajectoryGroup& g) {
          for (int i = 0; i < 1000; ++i) g.add_samples();
        }},
       {"a latent", [](v1::TrajectoryGroup& g) { SetLatent(g, NAN); }},
       {"a latent", [](v1::TrajectoryGroup& g) { SetLatent(g, -INFINITY); }},
       {"a latent", [](v1::TrajectoryGroup& g) { SetLatent(g, 1e30f); }},
       {"a latent", [](v1::TrajectoryGroup& g) { SetLatent(g, -1.01e4f); }},
       {"a log-prob", [](v1::TrajectoryGroup& g) { g.mutable_samples(2)->set_log_probs(1, NAN); }},
       {"a log-prob", [](v1::TrajectoryGroup& g) { g.mutable_samples(2)->set_log_probs(1, INFINITY); }},
       {"a log-prob", [](v1::TrajectoryGroup& g) { g.mutable_samples(2)->set_log_probs(1, -1e300); }},
       {"other settings", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_kernel("kernel"); }},
       {"other settings", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_timesteps(2, 0.5f); }},
       {"other settings", [](v1::TrajectoryGroup& g) { g.mutable_image()->clear_timesteps(); }},
       {"other settings", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_noise_level(0.1); }},
       {"order of their slots", [](v1::TrajectoryGroup& g) { g.mutable_samples(1)->set_slot(0); }}});
  EXPECT_FALSE(ReadGroup(v1::TrajectoryGroup(), ImagePrompt(), TinyRules(config)).ok());
}

TEST(ReadGroup, RefusesTextGroupsThatNoHonestWorkerSends) {
  const v1::RunConfig config = TinyRun();
  ExpectRefused(
      EncodedTexts(config, TextPrompt()), TextPrompt(), config,
      {{"source image", [](v1::TrajectoryGroup& g) { g.set_image_width(8); }},
       {"source image", [](v1::TrajectoryGroup& g) { g.set_image_height(-16); }},
       {"source image", [](v1::TrajectoryGroup& g) { g.mutable_image_rgb()->pop_back(); }},
       {"source image", [](v1::TrajectoryGroup& g) { g.mutable_image_rgb()->back() ^= 1; }},
       {"not in the vocabulary",
        [](v1::TrajectoryGroup& g) { g.mutable_samples(0)->set_response_ids(0, -1); }},
       {"not in the vocabulary",
        [](v1::TrajectoryGroup& g) { g.mutable_samples(0)->set_response_ids(0, INT32_MAX); }},
       {"a log-prob", [](v1::TrajectoryGroup& g) { g.mutable_samples(1)->set_log_probs(0, -INFINITY); }},
       {"a log-prob", [](v1::TrajectoryGroup& g) { g.mutable_samples(1)->set_log_probs(0, 1e300); }},
       {"too long",
        [&](v1::TrajectoryGroup& g) {
          for (int i = 0; i < config.rollout().max_text_tokens(); ++i) {
            g.mutable_samples(0)->add_response_ids(1);
            g.mutable_samples(0)->add_log_probs(-1);
          }
        }},
       {"lacks log-probs", [](v1::TrajectoryGroup& g) { g.mutable_samples(0)->clear_log_probs(); }}});
}

TEST(ReadGroup, RefusesAnswersToAnotherPrompt) {
  const v1::RunConfig config = TinyRun();
  const Damages damages = {
      {"another prompt", [](v1::TrajectoryGroup& g) { g.mutable_prompt()->set_text("nine red stars"); }},
      {"another prompt",
       [](v1::TrajectoryGroup& g) { g.mutable_prompt()->add_questions()->set_text("why?"); }},
      {"another prompt", [](v1::TrajectoryGroup& g) { g.mutable_prompt()->clear_task(); }},
      {"another prompt", [](v1::TrajectoryGroup& g) { g.add_prompt_ids(1); }},
      {"another prompt", [](v1::TrajectoryGroup& g) { g.set_prompt_ids(0, 4); }},
      {"another prompt", [](v1::TrajectoryGroup& g) { g.set_prompt_ids(0, 1 << 30); }},
      {"another prompt", [](v1::TrajectoryGroup& g) { g.clear_prompt_ids(); }}};
  ExpectRefused(EncodedImages(config, ImagePrompt()), ImagePrompt(), config, damages);
  ExpectRefused(EncodedTexts(config, TextPrompt()), TextPrompt(), config, damages);
}

TEST(ReadGroup, RefusesPromptsThatTheModelCannotTake) {
  const v1::RunConfig config = TinyRun();
  for (const bool text : {false, true}) {
    PromptSource::Prompt prompt = text ? TextPrompt() : ImagePrompt();
    const v1::TrajectoryGroup good = text ? EncodedTexts(config, prompt) : EncodedImages(config, prompt);
    const auto refusal = [&](const std::vector<int32_t>& ids) {
      v1::TrajectoryGroup bad = good;
      prompt.ids = ids;
      *bad.mutable_prompt_ids() = {ids.begin(), ids.end()};
      return std::string(ReadGroup(bad, prompt, TinyRules(config)).status().message());
    };
    EXPECT_THAT(refusal(std::vector<int32_t>(40000, 5)), HasSubstr("longest context"));
    EXPECT_THAT(refusal({1 << 30}), HasSubstr("a prompt token"));
  }
}

TEST(ReadGroup, RefusesTasksThatTheRunDoesNotTrain) {
  const v1::RunConfig both = TinyRun();
  v1::RunConfig images = both, texts = both;
  images.mutable_data()->clear_text_prompts();
  texts.mutable_data()->clear_image_prompts();
  const v1::TrajectoryGroup image = EncodedImages(both, ImagePrompt()),
                            text = EncodedTexts(both, TextPrompt());
  const auto reads = [](const v1::TrajectoryGroup& group, const PromptSource::Prompt& prompt,
                        const v1::RunConfig& config) {
    return ReadGroup(group, prompt, TinyRules(config)).ok();
  };
  EXPECT_TRUE(reads(image, ImagePrompt(), images) && reads(text, TextPrompt(), texts));
  EXPECT_FALSE(reads(image, ImagePrompt(), texts) || reads(text, TextPrompt(), images));
}

TEST(ReadGroup, AGroupHasItsPromptsImageSize) {
  const v1::RunConfig config = TinyRun();
  const PromptSource::Prompt small = ImagePrompt({.height = 2, .width = 3}), usual = ImagePrompt();
  EXPECT_TRUE(ReadGroup(EncodedImages(config, small), small, TinyRules(config)).ok());
  // The prompts are the same but for the size: another one's latents are not taken.
  ExpectRefused(EncodedImages(config, usual), usual, config,
                {{"another shape", [&](v1::TrajectoryGroup& g) { g = EncodedImages(config, small); }}});
}

}  // namespace
}  // namespace lvrpo
