#include "common/config/config.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ConfigTest : public ::testing::Test {
 protected:
  absl::StatusOr<LoadedConfig> Load(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
    const TemporaryFolder folder;
    return LoadRunConfig(folder.Write("run.yaml", yaml), overrides);
  }
  // A configuration whose files exist; run from the repository's root.
  static std::string Base() {
    return "model:\n  policy: assets/shapes/policy\n  referee: assets/shapes/referee\n"
           "data:\n  image_prompts: [assets/shapes/prompts/train_image.jsonl]\n";
  }
  std::string ErrorOf(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
    const auto loaded = Load(Base() + yaml, overrides);
    EXPECT_TRUE(absl::IsInvalidArgument(loaded.status())) << loaded.status();
    return std::string(loaded.status().message());
  }
};

TEST_F(ConfigTest, ReadsValuesAndSaysWhereTheyCameFrom) {
  const auto loaded = Load(Base() + "train:\n  steps: 12\n  image:\n    learning_rate: 2e-4\n",
                           {"seed=9", "data.text_fraction=0.0"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.train().steps(), 12);
  EXPECT_DOUBLE_EQ(loaded->config.train().image().learning_rate(), 2e-4);
  EXPECT_EQ(loaded->config.seed(), 9u);
  EXPECT_EQ(loaded->config.rollout().group_size(), DefaultRunConfig().rollout().group_size());
  EXPECT_THAT(loaded->origins.at("train.steps"), HasSubstr("run.yaml:7"));
  EXPECT_EQ(loaded->origins.at("seed"), "--set");
}

TEST_F(ConfigTest, NamesEveryErrorAtOnceWithItsLine) {
  const std::string error =
      ErrorOf("train:\n  stepz: 3\n  groups_per_step: many\nrollout:\n  kernel: euler\n");
  EXPECT_THAT(error, AllOf(HasSubstr("run.yaml:7"), HasSubstr("stepz"), HasSubstr("steps")));
  EXPECT_THAT(error, AllOf(HasSubstr("run.yaml:8"), HasSubstr("groups_per_step")));
  EXPECT_THAT(error, AllOf(HasSubstr("kernel"), HasSubstr("flow_sde")));
}

TEST_F(ConfigTest, RefusesWhatCannotBeMeant) {
  EXPECT_THAT(ErrorOf("train:\n  steps: 3\n  steps: 4\n"), HasSubstr("steps"));
  EXPECT_THAT(ErrorOf("train:\n  steps: 0\n"), HasSubstr("train.steps"));
  EXPECT_THAT(ErrorOf("train:\n  steps: 1.5\n"), HasSubstr("steps"));
  EXPECT_THAT(ErrorOf("train: 7\n"), HasSubstr("train"));
  EXPECT_THAT(ErrorOf("", {"nonsense"}), HasSubstr("nonsense"));
  EXPECT_THAT(ErrorOf("", {"train.stepz=3"}), HasSubstr("stepz"));
  EXPECT_THAT(ErrorOf("", {"model.referee=/no/such/folder"}), HasSubstr("/no/such/folder"));
  EXPECT_THAT(ErrorOf("", {"rollout.window_size=99"}), HasSubstr("rollout.window_size"));
  EXPECT_THAT(ErrorOf("", {"model.weights_dtype=bf16"}), HasSubstr("learner.sharded"));
  for (const char* allowed : {"learner.sharded=true", "train.lora.rank=4"})
    EXPECT_TRUE(Load(Base(), {"model.weights_dtype=bf16", allowed}).ok()) << allowed;
  EXPECT_THAT(ErrorOf("", {"learner.offload=true"}), HasSubstr("learner.sharded"));
  EXPECT_TRUE(Load(Base(), {"learner.offload=true", "learner.sharded=true"}).ok());
  EXPECT_THAT(ErrorOf("", {"rollout.image_size=0"}), HasSubstr("rollout.image_size"));
  for (const char* setting : {"rollout.device", "reward.device", "learner.device"}) {
    EXPECT_THAT(ErrorOf("", {absl::StrCat(setting, "=gpu")}),
                AllOf(HasSubstr(setting), HasSubstr("'gpu' is no device: use cpu, cuda or cuda:0")));
  }
  EXPECT_THAT(ErrorOf("", {"rollout.antithetic=true", "rollout.group_size=7"}),
              HasSubstr("rollout.group_size is 7; make it even"));
  EXPECT_THAT(ErrorOf("", {"rollout.kernel=cps", "rollout.noise_level=1.1", "train.image_loss=ppo"}),
              HasSubstr("rollout.noise_level"));
  EXPECT_THAT(ErrorOf("", {"rollout.kernel=cps", "rollout.noise_level=0.8", "train.image_loss=grpo_guard"}),
              HasSubstr("train.image_loss"));
  EXPECT_FALSE(Load("model: [unclosed\n").ok());
  EXPECT_FALSE(LoadRunConfig("/no/such/file.yaml", {}).ok());
}

// What no mathematics is behind: one sentence each, that says what to set.
TEST_F(ConfigTest, RefusesObjectivesThatMeanNothing) {
  const struct {
    std::vector<std::string> given;
    const char* what;
  } cases[] = {
      {{"rollout.window_draw=sliding", "rollout.window_size=3", "rollout.window_hi=3"},
       "rollout.window_draw: a sliding window of 3 steps has nowhere to go between 0 and 3"},
      {{"train.image_loss=flow_dppo"}, "train.image_kl_beta: flow_dppo has no KL term"},
      {{"train.image_loss=flow_dppo", "train.image_kl_beta=0", "rollout.kernel=cps", "rollout.window_hi=9"},
       "rollout.window_hi: the last step of cps has no noise, so flow_dppo divides by 0 there: use at most "
       "8"},
      {{"train.image_loss=ppo", "train.image_kl_form=exact", "rollout.kernel=cps", "rollout.window_hi=9"},
       "rollout.window_hi: the last step of cps has no noise, so train.image_kl_form exact"},
      {{"train.text_dual_clip=1"}, "train.text_dual_clip: 1 would cut ratios of 1"},
      {{"train.text_correction.high=0.5"}, "train.text_correction.high"},
      {{"train.text_correction.mode=none", "train.text_correction.always=true"},
       "train.text_correction.always: there is no correction"},
      {{"train.advantage_aggregation=gdpo", "train.advantage_scale=none"},
       "train.advantage_scale: gdpo divides each component"},
      {{"train.mini_batches=9"}, "train.mini_batches: 9 is out of range: use 1 to 8"},
      {{"reward.schedule=[{component: brand, step: 0, weight: 1}]"},
       "reward.schedule[0].component: 'brand' is not scored as a part of R"},
      {{"reward.schedule=[{component: grounding, step: 5, weight: 1}, {component: grounding, step: 5}]"},
       "reward.schedule[1].step: 'grounding' has two weights at step 5"},
      {{"reward.knowledge_weight=0", "reward.grounding_weight=0",
        "reward.schedule=[{component: instruction, step: 3, weight: 0}]"},
       "reward.schedule: all weights are 0 in every step"}};
  for (const auto& c : cases) EXPECT_THAT(ErrorOf("", c.given), HasSubstr(c.what));
}

// A run that is older than a setting goes on with it at its default.
TEST_F(ConfigTest, TheDigestLeavesOutNewerSettingsThatHaveTheirDefaults) {
  const auto digest = [&](const std::vector<std::string>& given) {
    const auto loaded = Load(Base(), given);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return ConfigDigest(loaded->config);
  };
  // As programs computed it that had none of the newer settings.
  EXPECT_EQ(digest({}), "d36fe2c8ef198b2157ffeff5f1f44452228faafa1826ff40efa9a48a650f86d1");
  for (const char* other :
       {"train.text_kl_form=k1", "train.text_correction.high=3", "rollout.window_draw=fixed", "train.steps=7",
        "reward.schedule=[{component: grounding, step: 0, weight: 1}]"})
    EXPECT_NE(digest({other}), digest({})) << other;
}

// Every file that is shipped; models and prompts of their own are elsewhere.
TEST_F(ConfigTest, TheShippedFilesAreValid) {
  int files = 0;
  for (const char* folder : {"configs", "configs/presets"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string path = entry.path().string();
      if (entry.is_directory() || absl::StrContains(path, "pretrain_")) continue;
      std::vector<std::string> given;
      if (absl::StrContains(path, "bagel_7b")) {
        const std::string prompts = "assets/shapes/prompts/";
        given = {"model.policy=assets/shapes/policy",
                 "model.referee=assets/shapes/referee",
                 absl::StrCat("data.image_prompts=[", prompts, "train_image.jsonl]"),
                 absl::StrCat("data.text_prompts=[", prompts, "train_text.jsonl]"),
                 absl::StrCat("data.heldout_image_prompts=", prompts, "heldout_image.jsonl"),
                 absl::StrCat("data.heldout_text_prompts=", prompts, "heldout_text.jsonl")};
      }
      const auto loaded = LoadRunConfig(path, given);
      EXPECT_TRUE(loaded.ok()) << path << ": " << loaded.status();
      ++files;
    }
  }
  EXPECT_GE(files, 12);
}

TEST_F(ConfigTest, BoundsThatFollowFromOtherSettings) {
  struct {
    const char* field;
    std::vector<std::string> given;
    const char *fits, *does_not;
  } cases[] = {
      {"rollout.window_lo", {"rollout.window_size=3", "rollout.window_hi=5"}, "2", "3"},
      {"rollout.lease_seconds", {"coordinator.heartbeat_seconds=2"}, "6", "5.9"},
      {"rollout.lease_limit_seconds", {"rollout.lease_seconds=20"}, "20", "19"},
      {"coordinator.member_timeout_seconds", {"coordinator.heartbeat_seconds=2"}, "4", "3.9"},
      {"local.silent_seconds", {"coordinator.member_timeout_seconds=7"}, "7", "6.9"},
      {"local.silent_seconds", {"coordinator.member_timeout_seconds=7"}, "0", "-1"},
  };
  for (auto& c : cases) {
    c.given.push_back(absl::StrCat(c.field, "=", c.fits));
    EXPECT_TRUE(Load(Base(), c.given).ok()) << c.field;
    c.given.back() = absl::StrCat(c.field, "=", c.does_not);
    EXPECT_THAT(ErrorOf("", c.given), HasSubstr(absl::StrCat(c.field, ": "))) << c.field;
  }
}

TEST_F(ConfigTest, AListThatIsReplacedLeavesNoOrigins) {
  const auto scorer = [](const char* name) {
    return absl::StrCat("{name: ", name, ", weight: 1, task: image, address: \"scorer:1\"}");
  };
  const auto loaded =
      Load(absl::StrCat(Base(), "reward:\n  external: [", scorer("a"), ", ", scorer("b"), "]\n"),
           {absl::StrCat("reward.external=[", scorer("c"), "]")});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->origins.at("reward.external[0].name"), "--set");
  EXPECT_FALSE(loaded->origins.contains("reward.external[1].name"));
}

TEST_F(ConfigTest, ThePrintedFormReadsBackTheSame) {
  const auto loaded = LoadRunConfig("configs/shapes.yaml", {"seed=7", "train.image.trainable=[llm2vae]"});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto again = Load(PrintConfig(*loaded));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->config.SerializeAsString(), loaded->config.SerializeAsString());
  EXPECT_EQ(ConfigDigest(again->config), ConfigDigest(loaded->config));
}

TEST_F(ConfigTest, ListsOfSectionsAreReadAndPrintedAndTheirMistakesNamed) {
  const auto loaded =
      Load(Base() +
           "reward:\n  external:\n  - {name: brand, address: \"scorer:50070\", weight: 0.5, task: image}\n"
           "  - name: tone\n    address: http://tone:8080/v1\n    task: both\n");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->config.reward().external_size(), 2);
  EXPECT_EQ(loaded->config.reward().external(1).address(), "http://tone:8080/v1");
  const auto again = Load(PrintConfig(*loaded));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->config.SerializeAsString(), loaded->config.SerializeAsString());
  EXPECT_TRUE(Load(Base(), {"reward.external=[{name: a, address: \"h:1\", weight: 1, task: text}]"}).ok());

  EXPECT_THAT(ErrorOf("reward:\n  external:\n  - {nmae: a}\n"),
              HasSubstr("reward.external[0].nmae: unknown key; did you mean 'name'?"));
  EXPECT_THAT(ErrorOf("reward:\n  external: [a]\n"), HasSubstr("reward.external[0]: want a section"));
  EXPECT_THAT(ErrorOf("", {"reward.external.name=a"}), HasSubstr("'external' is a list: give it whole"));
  const std::string problems =
      ErrorOf("reward:\n  external:\n  - {name: grounding, address: here, weight: -1, task: sound}\n");
  EXPECT_THAT(problems, HasSubstr("reward.external[0].name: 'grounding' is taken"));
  EXPECT_THAT(problems, HasSubstr("reward.external[0].address: 'here' is neither host:port nor"));
  EXPECT_THAT(problems, HasSubstr("reward.external[0].weight: -1 is out of range"));
  EXPECT_THAT(problems, HasSubstr("reward.external[0].task: 'sound' is not one of"));
}

TEST_F(ConfigTest, RewardSettingsThatDoNotFitTogetherAreNamed) {
  EXPECT_THAT(ErrorOf("", {"reward.grounding_dense=box", "reward.grounding_form=max_patch"}),
              HasSubstr("box needs regions"));
  EXPECT_THAT(ErrorOf("", {"reward.vqa_endpoint.url=http://vllm:8000/v1"}),
              HasSubstr("reward.vqa_endpoint.model: is empty"));
  for (const char* address : {"scorer", "scorer:0", "scorer:70000", "0.0.0.0:7101", "::1:7101",
                              "http://scorer:x", "https://[::1"}) {
    EXPECT_THAT(ErrorOf("", {absl::StrCat("reward.external=[{name: mine, weight: 1, task: image, address: \"",
                                          address, "\"}]")}),
                HasSubstr("reward.external[0].address"))
        << address;
  }
  EXPECT_TRUE(
      Load(Base(), {"reward.external=[{name: mine, weight: 1, task: image, address: \"[::1]:7101\"}]"}).ok());
  EXPECT_THAT(ErrorOf("", {"reward.detector=http://detector:80800"}), HasSubstr("reward.detector"));
  EXPECT_THAT(ErrorOf("", {"reward.logged=[instruction]"}), HasSubstr("'instruction' has a weight"));
  EXPECT_THAT(ErrorOf("", {"reward.guards=[artefact]"}), HasSubstr("'artefact' is not one of"));
  EXPECT_THAT(ErrorOf("", {"reward.detector=/no/such/folder"}), HasSubstr("there is no /no/such/folder"));
  EXPECT_TRUE(Load(Base(), {"reward.detector=http://detector:8080"}).ok());
}

TEST_F(ConfigTest, BroadcastsWeightsOnlyFromAGpu) {
  EXPECT_THAT(ErrorOf("", {"weights.transport=carrier"}), HasSubstr("'carrier' is not one of grpc, nccl"));
  EXPECT_THAT(ErrorOf("", {"weights.transport=nccl"}), HasSubstr("set learner.device to cuda, or use grpc"));
  EXPECT_THAT(ErrorOf("", {"weights.gather_seconds=0"}), HasSubstr("weights.gather_seconds"));
  const auto loaded = Load(Base(), {"weights.transport=nccl", "learner.device=cuda:1"});
  EXPECT_TRUE(loaded.ok()) << loaded.status();
}

TEST_F(ConfigTest, CopiesOfStepsAreInAFolderOfTheMachine) {
  EXPECT_THAT(ErrorOf("", {"learner.step_copies=shm/lvrpo"}),
              HasSubstr("learner.step_copies: shm/lvrpo is not an absolute path"));
  EXPECT_TRUE(Load(Base(), {"learner.step_copies=/dev/shm/lvrpo"}).ok());
}

TEST_F(ConfigTest, TheDigestCoversWhatDecidesResults) {
  v1::RunConfig config = DefaultRunConfig();
  const std::string digest = ConfigDigest(config);
  config.mutable_local()->set_rollout_workers(7);
  config.set_out("elsewhere");
  // A run may go on with another number of ranks.
  config.mutable_local()->set_learner_ranks(4);
  config.mutable_local()->set_silent_seconds(0);
  config.mutable_learner()->set_collective_timeout_seconds(5);
  config.mutable_weights()->set_transport("nccl");
  config.mutable_learner()->set_trusted_network(true);
  config.mutable_learner()->set_step_copies("/dev/shm/lvrpo");
  config.set_name("another");
  config.mutable_rpc()->set_timeout_seconds(3);
  config.mutable_coordinator()->set_heartbeat_seconds(3);
  EXPECT_EQ(ConfigDigest(config), digest);
  config.mutable_learner()->set_ordered_sums(true);  // decides bits
  EXPECT_NE(ConfigDigest(config), digest);
  config.mutable_learner()->set_ordered_sums(false);
  config.set_seed(99);
  EXPECT_NE(ConfigDigest(config), digest);
}

}  // namespace
}  // namespace lvrpo
