#include "learner/group_check.h"

#include <cmath>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/tiny_run.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

using Damages = std::vector<std::pair<std::string, std::function<void(v1::TrajectoryGroup&)>>>;

void ExpectRefused(const v1::TrajectoryGroup& good, const v1::RunConfig& config, const Damages& damages) {
  EXPECT_TRUE(CheckGroup(good, config, TinyConfig()).ok()) << CheckGroup(good, config, TinyConfig());
  for (const auto& [words, damage] : damages) {
    v1::TrajectoryGroup bad = good;
    damage(bad);
    const absl::Status status = CheckGroup(bad, config, TinyConfig());
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << words;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
    EXPECT_THAT(std::string(status.message()), HasSubstr("ordinal 77"));
  }
}

void SetLatent(v1::TrajectoryGroup& group, float value) {
  std::memcpy(group.mutable_samples(3)->mutable_latents()->data() + 8, &value, 4);
}

void AddPromptIds(v1::TrajectoryGroup& group, int count) {
  for (int i = 0; i < count; ++i) group.add_prompt_ids(5);
}

TEST(CheckGroup, RefusesImageGroupsThatNoHonestWorkerSends) {
  const v1::RunConfig config = TinyRun();
  v1::TrajectoryGroup good = ImageGroup(TinyModel(), config, 77);
  SetLatent(good, -9.9e3f);  // far out, and still possible
  ExpectRefused(
      good, config,
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
        [](v1::TrajectoryGroup& g) {  // one that the model could take, and the run does not sample
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
       {"a reward", [](v1::TrajectoryGroup& g) { g.mutable_samples(2)->set_reward(NAN); }},
       {"a score",
        [](v1::TrajectoryGroup& g) { g.mutable_samples(2)->mutable_scores(0)->set_score(INFINITY); }},
       {"a logged score is not finite",
        [](v1::TrajectoryGroup& g) {
          v1::ComponentScore& score = *g.mutable_samples(0)->add_logged();
          score.set_name("guard");
          score.set_score(NAN);
        }},
       {"no plain name",
        [](v1::TrajectoryGroup& g) { g.mutable_samples(0)->add_logged()->set_name("a\nb"); }},
       {"no plain name",
        [](v1::TrajectoryGroup& g) { g.mutable_samples(0)->add_logged()->set_name(std::string(1000, 'a')); }},
       {"logged scores",
        [](v1::TrajectoryGroup& g) {
          for (int i = 0; i < 100; ++i) g.mutable_samples(0)->add_logged()->set_name("a");
        }},
       {"other settings", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_kernel("kernel"); }},
       {"other settings", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_timesteps(2, 0.5f); }},
       {"other settings", [](v1::TrajectoryGroup& g) { g.mutable_image()->clear_timesteps(); }},
       {"other settings", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_noise_level(0.1); }},
       {"prompt token", [](v1::TrajectoryGroup& g) { g.set_prompt_ids(0, 1 << 30); }},
       {"prompt token", [](v1::TrajectoryGroup& g) { g.set_prompt_ids(0, -1); }},
       {"longest context", [](v1::TrajectoryGroup& g) { AddPromptIds(g, 40000); }},
       {"no task", [](v1::TrajectoryGroup& g) { g.mutable_prompt()->clear_task(); }},
       {"source image", [](v1::TrajectoryGroup& g) { g.mutable_prompt()->set_task(v1::TASK_KIND_TEXT); }},
       {"order of their slots", [](v1::TrajectoryGroup& g) { g.mutable_samples(1)->set_slot(0); }}});
  EXPECT_FALSE(CheckGroup(v1::TrajectoryGroup(), config, TinyConfig()).ok());
}

TEST(CheckGroup, RefusesTextGroupsThatNoHonestWorkerSends) {
  const v1::RunConfig config = TinyRun();
  ExpectRefused(
      TextGroup(TinyModel(), config, 77), config,
      {{"does not fit the model", [](v1::TrajectoryGroup& g) { g.set_image_width(17); }},
       {"does not fit the model", [](v1::TrajectoryGroup& g) { g.set_image_width(0); }},
       {"does not fit the model", [](v1::TrajectoryGroup& g) { g.set_image_height(-16); }},
       {"does not fit the model", [](v1::TrajectoryGroup& g) { g.mutable_image_rgb()->pop_back(); }},
       {"not in the vocabulary",
        [](v1::TrajectoryGroup& g) { g.mutable_samples(0)->set_response_ids(0, -1); }},
       {"not in the vocabulary",
        [](v1::TrajectoryGroup& g) { g.mutable_samples(0)->set_response_ids(0, INT32_MAX); }},
       {"longest context", [](v1::TrajectoryGroup& g) { AddPromptIds(g, 40000); }},
       {"a log-prob", [](v1::TrajectoryGroup& g) { g.mutable_samples(1)->set_log_probs(0, -INFINITY); }},
       {"too long",
        [&](v1::TrajectoryGroup& g) {
          for (int i = 0; i < config.rollout().max_text_tokens(); ++i) {
            g.mutable_samples(0)->add_response_ids(1);
            g.mutable_samples(0)->add_log_probs(-1);
          }
        }},
       {"lacks log-probs", [](v1::TrajectoryGroup& g) { g.mutable_samples(0)->clear_log_probs(); }},
       {"other settings",
        [](v1::TrajectoryGroup& g) { g.mutable_prompt()->set_task(v1::TASK_KIND_IMAGE); }}});
}

TEST(CheckGroup, RefusesTasksThatTheRunDoesNotTrain) {
  const v1::RunConfig both = TinyRun();
  v1::RunConfig images = both, texts = both;
  images.mutable_data()->clear_text_prompts();
  texts.mutable_data()->clear_image_prompts();
  const v1::TrajectoryGroup image = ImageGroup(TinyModel(), both, 0), text = TextGroup(TinyModel(), both, 0);
  EXPECT_TRUE(CheckGroup(image, images, TinyConfig()).ok() && CheckGroup(text, texts, TinyConfig()).ok());
  EXPECT_FALSE(CheckGroup(image, texts, TinyConfig()).ok() || CheckGroup(text, images, TinyConfig()).ok());
}

TEST(CheckPrompt, RefusesAnswersToAnotherPrompt) {
  const v1::RunConfig config = TinyRun();
  v1::TrajectoryGroup image = ImageGroup(TinyModel(), config, 0), text = TextGroup(TinyModel(), config, 0);
  image.mutable_prompt()->set_text("a red circle");
  text.mutable_prompt()->set_text("what is this?");
  const auto own = [](const v1::TrajectoryGroup& group) {
    PromptSource::Prompt prompt;
    prompt.record = group.prompt();
    prompt.ids = {group.prompt_ids().begin(), group.prompt_ids().end()};
    prompt.source_image.width = group.image_width();
    prompt.source_image.height = group.image_height();
    prompt.source_image.pixels.assign(group.image_rgb().begin(), group.image_rgb().end());
    return prompt;
  };
  for (const v1::TrajectoryGroup& good : {image, text}) {
    EXPECT_TRUE(CheckPrompt(good, own(good)).ok());
    for (const auto& damage : std::vector<std::function<void(v1::TrajectoryGroup&)>>{
             [](v1::TrajectoryGroup& g) { g.mutable_prompt()->set_text("nine red stars"); },
             [](v1::TrajectoryGroup& g) { g.mutable_prompt()->add_questions()->set_text("why?"); },
             [](v1::TrajectoryGroup& g) { g.mutable_prompt()->clear_task(); },
             [](v1::TrajectoryGroup& g) { g.add_prompt_ids(1); },
             [](v1::TrajectoryGroup& g) { g.set_prompt_ids(0, 4); },
             [](v1::TrajectoryGroup& g) { g.clear_prompt_ids(); }}) {
      v1::TrajectoryGroup bad = good;
      damage(bad);
      EXPECT_TRUE(absl::IsInvalidArgument(CheckPrompt(bad, own(good)))) << bad.prompt().ShortDebugString();
    }
  }
  v1::TrajectoryGroup bad = text;
  bad.mutable_image_rgb()->back() ^= 1;
  EXPECT_FALSE(CheckPrompt(bad, own(text)).ok());
  bad = text;
  bad.set_image_width(8);
  EXPECT_FALSE(CheckPrompt(bad, own(text)).ok());
}

TEST(CheckGroup, KnowsHowLargeAGroupCanBe) {
  const v1::RunConfig config = TinyRun();
  const auto most = static_cast<size_t>(LargestGroupBytes(config, TinyConfig()));
  EXPECT_GT(most, ImageGroup(TinyModel(), config, 0).ByteSizeLong());
  EXPECT_GT(most, TextGroup(TinyModel(), config, 0).ByteSizeLong());
  EXPECT_LT(most, size_t{32} << 20);
}

}  // namespace
}  // namespace lvrpo
