#include "pretraining/settings.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class SettingsTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& yaml) { return folder_.Write("settings.yaml", yaml); }
  template <typename Settings>
  std::string ErrorOf(const std::string& yaml, const std::vector<ConfigOverride>& overrides = {}) {
    const auto loaded = LoadSettings<Settings>(Write(yaml), overrides);
    EXPECT_TRUE(absl::IsInvalidArgument(loaded.status())) << loaded.status();
    return std::string(loaded.status().message());
  }

  struct Outcome {
    int code = -1;
    std::string text;  // stdout and stderr
  };
  Outcome Pretrain(const std::string& arguments) {
    Outcome outcome;
    FILE* pipe = popen(absl::StrCat(LVRPO_BIN_DIR, "/lvrpo-pretrain ", arguments, " 2>&1").c_str(), "r");
    std::array<char, 4096> buffer;
    while (const size_t got = fread(buffer.data(), 1, buffer.size(), pipe))
      outcome.text.append(buffer.data(), got);
    const int status = pclose(pipe);
    if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
    return outcome;
  }

  const TemporaryFolder folder_;
};

TEST_F(SettingsTest, TheShippedFilesAreTheDefaultsWithFolders) {
  const auto expect_defaults = [](auto settings) {
    ASSERT_TRUE(settings.ok()) << settings.status();
    EXPECT_EQ(DecidingSettings(*settings),
              DecidingSettings(DefaultSettings<std::decay_t<decltype(*settings)>>()));
    EXPECT_FALSE(settings->train().checkpoint().empty());
  };
  expect_defaults(LoadSettings<v1::PretrainAutoencoder>("configs/pretrain_autoencoder.yaml", {}));
  expect_defaults(LoadSettings<v1::PretrainReferee>("configs/pretrain_referee.yaml", {}));
  // Folders that the policy reads must be there.
  expect_defaults(LoadSettings<v1::PretrainPolicy>(
      "configs/pretrain_policy.yaml",
      {{.text = "autoencoder=assets/shapes/policy"}, {.text = "referee=assets/shapes/referee"}}));
  // Stage two is stage one's with noisy data.
  const auto noisy = LoadSettings<v1::PretrainPolicy>("configs/pretrain_policy_noisy.yaml",
                                                      {{.text = "autoencoder=assets/shapes/policy"},
                                                       {.text = "referee=assets/shapes/referee"},
                                                       {.text = "start=assets/shapes/vqa/ema.safetensors"}});
  ASSERT_TRUE(noisy.ok()) << noisy.status();
  EXPECT_GT(noisy->wrong_captions(), 0);
  EXPECT_GT(noisy->understanding().habitual_answers(), 0);
}

TEST_F(SettingsTest, OverridesWinAndTheLastOfThemCounts) {
  const auto loaded = LoadSettings<v1::PretrainReferee>(
      Write("out: here\nseed: 4\ntrain:\n  steps: 7\n"),
      {{.text = "train.steps=8", .where = "--steps"}, {.text = "seed=5"}, {.text = "seed=6"}});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->out(), "here");
  EXPECT_EQ(loaded->seed(), 6u);
  EXPECT_EQ(loaded->train().steps(), 8);
  const TrainerOptions options = TrainerOptionsFor(*loaded, /*resume=*/true);
  EXPECT_EQ(options.steps, 8);
  EXPECT_EQ(options.optimizer.total_steps, 8);
  EXPECT_TRUE(options.resume);
}

TEST_F(SettingsTest, NamesEveryErrorAtOnceWithItsLine) {
  const std::string error = ErrorOf<v1::PretrainPolicy>(
      "out: here\n"
      "bach: 3\n"
      "cached_pairs: many\n"
      "understanding:\n"
      "  habitual_answers: 1.5\n"
      "  caption_share: -0.1\n"
      "train:\n"
      "  steps: 0\n"
      "  warmup_step: 3\n",
      {{.text = "text_weight=loud", .where = "--text-weight"}, {.text = "batch=0"}, {.text = "lr=1"}});
  EXPECT_THAT(error, HasSubstr("settings.yaml:2: bach: unknown key; did you mean 'batch'"));
  EXPECT_THAT(error, HasSubstr("settings.yaml:3: cached_pairs: want a whole number, got 'many'"));
  EXPECT_THAT(error, HasSubstr("settings.yaml:5: understanding.habitual_answers: 1.5 is out of range"));
  EXPECT_THAT(error, HasSubstr("settings.yaml:6: understanding.caption_share: -0.1 is out of range"));
  EXPECT_THAT(error, HasSubstr("settings.yaml:8: train.steps: 0 is out of range: use 1 to"));
  EXPECT_THAT(error,
              HasSubstr("settings.yaml:9: train.warmup_step: unknown key; did you mean 'warmup_steps'"));
  EXPECT_THAT(error, HasSubstr("--text-weight: text_weight: want a number, got 'loud'"));
  EXPECT_THAT(error, HasSubstr("--set: batch: 0 is out of range"));
  EXPECT_THAT(error, HasSubstr("--set: lr: unknown key"));
}

TEST_F(SettingsTest, RefusesWhatCannotBeMeant) {
  EXPECT_THAT(ErrorOf<v1::PretrainReferee>(""), HasSubstr("out: is empty"));
  EXPECT_THAT(ErrorOf<v1::PretrainReferee>("out: x\nout: y\n"), HasSubstr("out: the key is given twice"));
  EXPECT_THAT(ErrorOf<v1::PretrainReferee>("out: x\nkl_weight: 1\n"), HasSubstr("kl_weight: unknown key"));
  EXPECT_THAT(ErrorOf<v1::PretrainReferee>("out: x\ntrain: 7\n"), HasSubstr("train: want a section"));
  EXPECT_THAT(ErrorOf<v1::PretrainAutoencoder>("out: x\ntrain:\n  ema_decay: 1\n"),
              HasSubstr("train.ema_decay: 1 is out of range"));
  EXPECT_THAT(ErrorOf<v1::PretrainAutoencoder>("out: x\nbatch: 0\n"), HasSubstr("batch: 0 is out of range"));
  EXPECT_THAT(ErrorOf<v1::PretrainPrompts>("out: x\ntrain_questions: 0\n"), HasSubstr("train_questions"));
  EXPECT_THAT(ErrorOf<v1::PretrainPolicy>("out: x\nautoencoder: /no/such\nreferee: /no/such\n"),
              HasSubstr("settings.yaml:2: autoencoder: there is no /no/such"));
  EXPECT_FALSE(LoadSettings<v1::PretrainReferee>("/no/such/file.yaml", {}).ok());
}

TEST_F(SettingsTest, DecidingSettingsAreThoseThatDecideNumbers) {
  const v1::PretrainPolicy defaults = DefaultSettings<v1::PretrainPolicy>();
  v1::PretrainPolicy elsewhere = defaults;
  elsewhere.set_out("elsewhere");
  elsewhere.set_autoencoder("elsewhere");
  elsewhere.mutable_train()->set_checkpoint("elsewhere");
  elsewhere.mutable_train()->set_report_every(7);
  elsewhere.set_score_prompts_per_kind(0);
  EXPECT_EQ(DecidingSettings(elsewhere), DecidingSettings(defaults));

  std::vector<v1::PretrainPolicy> others(6, defaults);
  others[0].set_seed(2);
  others[1].set_batch(7);
  others[2].set_text_weight(1);
  others[3].mutable_train()->set_steps(7);
  others[4].mutable_understanding()->set_habitual_answers(0.1);
  others[5].set_threads(2);
  for (const v1::PretrainPolicy& other : others)
    EXPECT_NE(DecidingSettings(other), DecidingSettings(defaults)) << other.ShortDebugString();
}

TEST_F(SettingsTest, ExitCodesTellBadSettingsFromForeignCheckpointsAndDivergence) {
  const std::string out = folder_ / "ae", checkpoint = folder_ / "ae.ckpt";
  const std::string config = Write(absl::StrCat("out: ", out, "\nbatch: 1\ntrain:\n  stepz: 3\n"));
  const Outcome misspelt = Pretrain(absl::StrCat("autoencoder --config ", config, " --batch none"));
  EXPECT_EQ(misspelt.code, kExitConfig) << misspelt.text;
  EXPECT_THAT(misspelt.text, HasSubstr("settings.yaml:4: train.stepz: unknown key; did you mean 'steps'"));
  EXPECT_THAT(misspelt.text, HasSubstr("--batch: batch: want a whole number, got 'none'"));

  ASSERT_TRUE(SaveTensors(checkpoint, {{"iteration", torch::zeros({1}, torch::kInt64)}}, std::nullopt,
                          {{"seed", "8"}})
                  .ok());
  const Outcome foreign =
      Pretrain(absl::StrCat("autoencoder --out ", out, " --seed 3 --resume --checkpoint ", checkpoint));
  EXPECT_EQ(foreign.code, kExitData) << foreign.text;
  EXPECT_THAT(foreign.text, HasSubstr("made with other settings"));

  const std::string plain = Write("batch: 1\ntrain:\n  steps: 9\n  learning_rate: 1e+30\n");
  const Outcome diverged = Pretrain(absl::StrCat("autoencoder --config ", plain, " --out ", out));
  EXPECT_EQ(diverged.code, kExitDiverged) << diverged.text;
  EXPECT_THAT(diverged.text, AllOf(HasSubstr("not finite"), Not(HasSubstr("psnr of mean latents"))));
}

}  // namespace
}  // namespace lvrpo
