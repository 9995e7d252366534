#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "algorithm/run_policy.h"
#include "algorithm/sample_settings.h"
#include "common/config.h"
#include "common/file.h"
#include "common/hash.h"
#include "common/metrics.h"
#include "common/rpc.h"
#include "generation/text_engine.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/checkpoint.h"
#include "learner/client.h"
#include "learner/inbox_service.h"
#include "learner/spool.h"
#include "learner/trainer.h"
#include "learner/weight_service.h"
#include "model/lora_file.h"
#include "model/weight_buckets.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

std::string TestFolder() {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("lvrpo-learner-" + std::to_string(getpid()) + "-" +
                       ::testing::UnitTest::GetInstance()->current_test_info()->name());
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder.string();
}

BagelConfig TinyConfig() {
  BagelConfig config;
  config.hidden = 32;
  config.mlp = 48;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.vocabulary = 24;
  config.vit_hidden = 16;
  config.vit_mlp = 24;
  config.vit_layers = 1;
  config.vit_heads = 2;
  config.vit_patch = 8;
  config.vit_max_side = 4;
  config.latent_patch = 1;
  config.max_latent_side = 4;
  config.autoencoder.z_channels = 4;
  config.bos = 20;
  config.eos = 21;
  config.start_of_image = 22;
  config.end_of_image = 23;
  return config;
}

Bagel TinyModel() {
  const BagelConfig config = TinyConfig();
  TensorMap tensors = Bagel::RandomInit(config, 3);
  // A velocity that is not zero, so that there is something to learn.
  torch::manual_seed(5);
  tensors.at("llm2vae.weight") = torch::randn(tensors.at("llm2vae.weight").sizes()) * 0.1;
  return *Bagel::Create(config, tensors, "test");
}

v1::RunConfig TinyRun() {
  v1::RunConfig config = DefaultRunConfig();
  config.mutable_rollout()->set_group_size(4);
  config.mutable_rollout()->set_timesteps(6);
  config.mutable_rollout()->set_window_size(2);
  config.mutable_rollout()->set_window_hi(4);
  config.mutable_data()->add_image_prompts("images");
  config.mutable_data()->add_text_prompts("texts");
  config.mutable_data()->set_text_fraction(0.5);
  config.mutable_train()->mutable_image()->set_learning_rate(1e-3);
  config.mutable_train()->mutable_image()->set_warmup_steps(0);
  config.mutable_train()->mutable_text()->set_learning_rate(1e-3);
  config.mutable_train()->mutable_text()->set_warmup_steps(0);
  return config;
}

void SetReward(v1::Sample& sample, float reward) {
  sample.set_reward(reward);
  v1::ComponentScore& score = *sample.add_scores();
  score.set_name("instruction");
  score.set_outcome(v1::ComponentScore::OK);
  score.set_score(reward);
}

// A group sampled from `model` as a worker does it; sample i gets reward i odd.
v1::TrajectoryGroup ImageGroup(const Bagel& model, const v1::RunConfig& config, int64_t ordinal) {
  torch::NoGradGuard no_grad;
  const v1::RolloutConfig& rollout = config.rollout();
  v1::TrajectoryGroup group;
  group.set_ordinal(ordinal);
  group.mutable_prompt()->set_task(v1::TASK_KIND_IMAGE);
  for (const int id : {1, 2, 3}) group.add_prompt_ids(id);
  const ImageSampleOptions options = SampleOptions(rollout, {.begin = 1, .size = rollout.window_size()});
  const ImageSamples samples =
      SampleImages(BagelVelocity(model, model.PrefillPrompt({1, 2, 3}), 4, 4), rollout.group_size(), 16,
                   model.config().token_dim(), 1, static_cast<uint32_t>(ordinal), options);
  v1::ImageSettings& settings = *group.mutable_image();
  *settings.mutable_timesteps() = {options.timesteps.begin(), options.timesteps.end()};
  settings.set_window_begin(1);
  settings.set_window_size(rollout.window_size());
  settings.set_kernel(rollout.kernel());
  settings.set_noise_level(rollout.noise_level());
  settings.set_tokens(16);
  settings.set_token_dim(static_cast<int32_t>(model.config().token_dim()));
  settings.set_grid_height(4);
  settings.set_grid_width(4);
  for (int slot = 0; slot < rollout.group_size(); ++slot) {
    v1::Sample& sample = *group.add_samples();
    sample.set_slot(slot);
    const torch::Tensor latents = samples.window_latents[slot].contiguous();
    sample.set_latents(latents.data_ptr(), static_cast<size_t>(latents.numel()) * 4);
    for (int k = 0; k < rollout.window_size(); ++k)
      sample.add_log_probs(samples.log_probs[slot][k].item<double>());
    SetReward(sample, static_cast<float>(slot % 2));
  }
  return group;
}

// Answers to a question about a grey image; answers that begin with token 4 are right.
v1::TrajectoryGroup TextGroup(const Bagel& model, const v1::RunConfig& config, int64_t ordinal) {
  torch::NoGradGuard no_grad;
  v1::TrajectoryGroup group;
  group.set_ordinal(ordinal);
  group.mutable_prompt()->set_task(v1::TASK_KIND_TEXT);
  for (const int id : {5, 6}) group.add_prompt_ids(id);
  group.set_image_width(16);
  group.set_image_height(16);
  group.set_image_rgb(std::string(16 * 16 * 3, '\x80'));
  const KvCache context = model.PrefillQuestion(torch::full({1, 3, 16, 16}, 0x80 / 127.5 - 1), {5, 6});
  const TextSamples samples = *GenerateText(model,
                                            {.context = context,
                                             .start = model.config().bos,
                                             .samples = config.rollout().group_size(),
                                             .group = static_cast<uint32_t>(ordinal),
                                             .options = {.max_tokens = 3, .eos = model.config().eos},
                                             .stop = {}},
                                            1);
  for (size_t slot = 0; slot < samples.ids.size(); ++slot) {
    v1::Sample& sample = *group.add_samples();
    sample.set_slot(static_cast<int32_t>(slot));
    *sample.mutable_response_ids() = {samples.ids[slot].begin(), samples.ids[slot].end()};
    *sample.mutable_log_probs() = {samples.log_probs[slot].begin(), samples.log_probs[slot].end()};
    SetReward(sample, static_cast<float>(slot % 2));
  }
  return group;
}

class EachImageLoss : public ::testing::TestWithParam<const char*> {
 protected:
  static v1::RunConfig Run() {
    v1::RunConfig config = TinyRun();
    config.mutable_train()->set_image_loss(GetParam());
    return config;
  }
};
INSTANTIATE_TEST_SUITE_P(GrpoTrainer, EachImageLoss, ::testing::Values("ppo", "grpo_guard"));

TEST_P(EachImageLoss, HasRatiosOfExactlyOneForWeightsThatDidNotChange) {
  const v1::RunConfig config = Run();
  auto trainer = GrpoTrainer::Create(config, TinyModel());
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_EQ((*trainer)->SelfTest(), 0);
  EXPECT_GT((*trainer)->TextSelfTest(), 0);
  EXPECT_LT((*trainer)->TextSelfTest(), 1e-5);
  const Bagel& policy = (*trainer)->policy();
  const auto metrics = (*trainer)->Step({ImageGroup(policy, config, 0), TextGroup(policy, config, 1)}, 0);
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  EXPECT_EQ(metrics->at("ratio_deviation_first_update"), 0);
  EXPECT_EQ(metrics->at("sampler_log_prob_difference_same_version"), 0);
  EXPECT_GT(metrics->at("image_gradient_norm"), 0);
  EXPECT_GT(metrics->at("text_gradient_norm"), 0);
  EXPECT_DOUBLE_EQ(metrics->at("reward"), 0.5);
}

TEST(GrpoTrainer, TheSameGroupsGiveTheSameWeights) {
  const v1::RunConfig config = TinyRun();
  std::string digest;
  for (int run = 0; run < 2; ++run) {
    auto trainer = GrpoTrainer::Create(config, TinyModel());
    for (int64_t step = 0; step < 3; ++step) {
      const Bagel& policy = (*trainer)->policy();
      ASSERT_TRUE(
          (*trainer)
              ->Step({ImageGroup(policy, config, 2 * step), TextGroup(policy, config, 2 * step + 1)}, step)
              .ok());
    }
    const std::string got = PackWeights((*trainer)->trained(), 3).manifest.version().digest();
    if (run == 0) digest = got;
    EXPECT_EQ(got, digest);
  }
}

TEST_P(EachImageLoss, RaisesTheLogProbsOfWhatWasRewarded) {
  v1::RunConfig config = Run();
  config.mutable_train()->set_updates_per_step(4);
  config.mutable_train()->set_image_clip(10);  // no clip: the surrogate itself
  config.mutable_train()->set_text_clip_high(10);
  config.mutable_train()->set_image_kl_beta(0);
  config.mutable_train()->mutable_image()->set_learning_rate(1e-4);
  auto trainer = GrpoTrainer::Create(config, TinyModel());
  const v1::TrajectoryGroup image = ImageGroup((*trainer)->policy(), config, 0);
  const v1::TrajectoryGroup text = TextGroup((*trainer)->policy(), config, 1);
  const auto advantage = [&](const v1::TrajectoryGroup& group) {
    // Mean log-prob of rewarded samples minus that of the others, under the trainer's policy.
    torch::NoGradGuard no_grad;
    const Bagel& policy = (*trainer)->policy();
    double difference = 0;
    for (int slot = 0; slot < group.samples_size(); ++slot) {
      const v1::Sample& sample = group.samples(slot);
      double log_prob = 0;
      if (group.prompt().task() == v1::TASK_KIND_IMAGE) {
        torch::Tensor latents = torch::empty({1, 3, 16, 4});
        std::memcpy(latents.data_ptr(), sample.latents().data(), sample.latents().size());
        log_prob = WindowLogProbs(BagelVelocity(policy, policy.PrefillPrompt({1, 2, 3}), 4, 4), latents,
                                  SampleOptions(group.image()))
                       .sum()
                       .item<double>();
      } else {
        std::vector<int64_t> ids(sample.response_ids().begin(), sample.response_ids().end());
        log_prob = policy
                       .ResponseLogProbs(
                           policy.PrefillQuestion(torch::full({1, 3, 16, 16}, 0x80 / 127.5 - 1), {5, 6}),
                           torch::tensor(ids, torch::kInt64).unsqueeze(0), 1)
                       .sum()
                       .item<double>();
      }
      difference += (slot % 2 == 1 ? 1 : -1) * log_prob;
    }
    return difference;
  };
  const double image_before = advantage(image), text_before = advantage(text);
  ASSERT_TRUE((*trainer)->Step({image, text}, 0).ok());
  EXPECT_GT(advantage(image), image_before);
  EXPECT_GT(advantage(text), text_before);
}

TEST_P(EachImageLoss, SplitsAGroupIntoMicroBatchesOfTheSameGradient) {
  double norms[2];
  for (const int micro : {0, 2}) {
    v1::RunConfig config = Run();
    config.mutable_train()->set_micro_batch(micro);
    auto trainer = GrpoTrainer::Create(config, TinyModel());
    const auto metrics = (*trainer)->Step({ImageGroup((*trainer)->policy(), config, 0)}, 0);
    ASSERT_TRUE(metrics.ok()) << metrics.status();
    norms[micro / 2] = metrics->at("image_gradient_norm");
  }
  EXPECT_NEAR(norms[1] / norms[0], 1, 1e-4);
}

TEST(GrpoTrainer, TrainsAdaptersAloneAndSavesThemForOthers) {
  v1::RunConfig config = TinyRun();
  config.mutable_train()->mutable_lora()->set_rank(4);
  const Bagel base = *WithTrainedAdapters(config, TinyModel());
  auto trainer = GrpoTrainer::Create(config, base);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_EQ((*trainer)->SelfTest(), 0);
  for (const auto& [name, tensor] : (*trainer)->trained()) EXPECT_TRUE(IsLoraName(name)) << name;
  const Bagel& policy = (*trainer)->policy();
  const std::string before = DigestOf(WithoutLora(policy.tensors()));
  for (int64_t step = 0; step < 2; ++step) {
    const auto metrics = (*trainer)->Step(
        {ImageGroup(policy, config, 2 * step), TextGroup(policy, config, 2 * step + 1)}, step);
    ASSERT_TRUE(metrics.ok()) << metrics.status();
    EXPECT_EQ(metrics->at("ratio_deviation_first_update"), 0);
    EXPECT_GT(metrics->at("image_gradient_norm"), 0);
    EXPECT_GT(metrics->at("text_gradient_norm"), 0);
  }
  EXPECT_EQ(DigestOf(WithoutLora(policy.tensors())), before);
  EXPECT_NE(DigestOf(ExtractLora(policy.tensors())), DigestOf(ExtractLora(base.tensors())));

  // What others make of the checkpoint's adapter is the trained policy.
  const std::string folder = TestFolder() + "/step_000002";
  Checkpoint saved;
  saved.weights = CloneTensors((*trainer)->trained());
  saved.lora = TrainedAdapters(config, Bagel::ExpectedTensors(policy.config()));
  ASSERT_TRUE(SaveCheckpoint(folder, saved).ok());
  const auto adapter = LoadAdapter(folder + "/adapter", Bagel::ExpectedTensors(policy.config()));
  ASSERT_TRUE(adapter.ok()) << adapter.status();
  TensorMap tensors = TinyModel().tensors();
  for (const auto& [name, tensor] : adapter->tensors) tensors[name] = tensor;
  const Bagel merged = *Bagel::Create(policy.config(), *MergeLora(tensors, adapter->config), "merged");
  const torch::NoGradGuard no_grad;
  torch::manual_seed(4);
  const torch::Tensor x_t = torch::randn({2, 16, 4}), t = torch::tensor({.8f, .3f});
  const auto velocity = [&](const Bagel& model) {
    return model.Velocity(model.PrefillPrompt({1, 2}), x_t, t, 4, 4);
  };
  EXPECT_LT((velocity(merged) - velocity(policy)).abs().max().item<double>(), 1e-5);
  EXPECT_GT((velocity(TinyModel()) - velocity(policy)).abs().max().item<double>(), 1e-4);
}

TEST(GrpoTrainer, TrainsAdaptersOfBf16Weights) {
  v1::RunConfig config = TinyRun();
  config.mutable_train()->mutable_lora()->set_rank(2);
  TensorMap tensors;
  const Bagel model = TinyModel();
  for (const auto& [name, tensor] : model.tensors()) tensors[name] = tensor.to(torch::kBFloat16);
  const Bagel base = *WithTrainedAdapters(config, *Bagel::Create(TinyConfig(), tensors, "bf16"));
  EXPECT_EQ(base.dtype(), torch::kBFloat16);
  auto trainer = GrpoTrainer::Create(config, base);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  EXPECT_EQ((*trainer)->SelfTest(), 0);
  const Bagel& policy = (*trainer)->policy();
  const auto metrics = (*trainer)->Step({ImageGroup(policy, config, 0), TextGroup(policy, config, 1)}, 0);
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  EXPECT_EQ(metrics->at("ratio_deviation_first_update"), 0);
  EXPECT_GT(metrics->at("image_gradient_norm"), 0);
  for (const auto& [name, tensor] : (*trainer)->trained()) EXPECT_EQ(tensor.scalar_type(), torch::kFloat32);
}

TEST(GrpoTrainer, TrainsWithEveryKernelAndAggregation) {
  for (const char* kernel : {"flow_sde", "dance", "cps"}) {
    for (const char* aggregation : {"sum_then_normalize", "gdpo"}) {
      v1::RunConfig config = TinyRun();
      config.mutable_rollout()->set_kernel(kernel);
      if (config.rollout().kernel() == "cps") config.mutable_train()->set_image_loss("ppo");
      config.mutable_train()->set_advantage_aggregation(aggregation);
      auto trainer = GrpoTrainer::Create(config, TinyModel());
      ASSERT_TRUE(trainer.ok()) << trainer.status();
      EXPECT_EQ((*trainer)->SelfTest(), 0);
      const auto metrics = (*trainer)->Step({ImageGroup((*trainer)->policy(), config, 0)}, 0);
      ASSERT_TRUE(metrics.ok()) << metrics.status();
      EXPECT_EQ(metrics->at("sampler_log_prob_difference_same_version"), 0) << kernel;
      EXPECT_GT(metrics->at("image_gradient_norm"), 0) << kernel << " " << aggregation;
    }
  }
}

TEST(GrpoTrainer, CountsStepsWhoseGradientsAreNotFinite) {
  const v1::RunConfig config = TinyRun();
  auto trainer = GrpoTrainer::Create(config, TinyModel());
  const std::string before = PackWeights((*trainer)->trained(), 0).manifest.version().digest();
  v1::TrajectoryGroup group = ImageGroup((*trainer)->policy(), config, 0);
  for (v1::Sample& sample : *group.mutable_samples()) {  // finite, and too large to square
    for (size_t at = 0; at < sample.latents().size(); at += 4) {
      const float huge = 3e38f;
      std::memcpy(sample.mutable_latents()->data() + at, &huge, 4);
    }
  }
  for (int64_t step = 0; step < 2; ++step) {
    const auto metrics = (*trainer)->Step({group}, step);
    ASSERT_TRUE(metrics.ok()) << metrics.status();
    EXPECT_EQ(metrics->at("nonfinite"), 1);
    EXPECT_EQ((*trainer)->nonfinite_in_a_row(), step + 1);
  }
  EXPECT_EQ(PackWeights((*trainer)->trained(), 0).manifest.version().digest(), before);
}

TEST(GrpoTrainer, RefusesDamagedGroupsAndChangesNothing) {
  const v1::RunConfig config = TinyRun();
  auto trainer = GrpoTrainer::Create(config, TinyModel());
  const std::string before = PackWeights((*trainer)->trained(), 0).manifest.version().digest();
  const v1::TrajectoryGroup good = ImageGroup((*trainer)->policy(), config, 0);
  const std::vector<std::pair<std::string, std::function<void(v1::TrajectoryGroup&)>>> damages = {
      {"wrong number of latents",
       [](v1::TrajectoryGroup& g) { g.mutable_samples(1)->mutable_latents()->pop_back(); }},
      {"outside the schedule", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_window_begin(5); }},
      {"another shape", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_token_dim(3); }},
      {"has 3 samples", [](v1::TrajectoryGroup& g) { g.mutable_samples()->RemoveLast(); }},
      {"not finite",
       [](v1::TrajectoryGroup& g) {
         const float nan = NAN;
         std::memcpy(g.mutable_samples(0)->mutable_latents()->data(), &nan, 4);
       }},
      {"other settings", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_kernel("kernel"); }},
      {"other settings", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_timesteps(2, 0.5f); }},
      {"other settings", [](v1::TrajectoryGroup& g) { g.mutable_image()->set_noise_level(0.1); }},
      {"another shape",
       [](v1::TrajectoryGroup& g) {  // must be refused before anything of this size is allocated
         g.mutable_image()->set_grid_height(1 << 20);
         g.mutable_image()->set_tokens(1 << 22);
       }},
      {"prompt token", [](v1::TrajectoryGroup& g) { g.set_prompt_ids(0, 1 << 30); }},
      {"order of their slots", [](v1::TrajectoryGroup& g) { g.mutable_samples(1)->set_slot(0); }},
  };
  const v1::TrajectoryGroup good_text = TextGroup((*trainer)->policy(), config, 0);
  const std::vector<std::pair<std::string, std::function<void(v1::TrajectoryGroup&)>>> text_damages = {
      {"does not fit the model", [](v1::TrajectoryGroup& g) { g.set_image_width(17); }},
      {"does not fit the model", [](v1::TrajectoryGroup& g) { g.set_image_height(-16); }},
      {"does not fit the model", [](v1::TrajectoryGroup& g) { g.mutable_image_rgb()->pop_back(); }},
      {"not in the vocabulary",
       [](v1::TrajectoryGroup& g) { g.mutable_samples(0)->set_response_ids(0, -1); }},
      {"lacks log-probs", [](v1::TrajectoryGroup& g) { g.mutable_samples(0)->clear_log_probs(); }},
  };
  for (const auto& [words, damage] : text_damages) {
    v1::TrajectoryGroup bad = good_text;
    damage(bad);
    EXPECT_THAT(std::string((*trainer)->Check(bad).message()), HasSubstr(words));
  }
  EXPECT_TRUE((*trainer)->Check(good).ok() && (*trainer)->Check(good_text).ok());
  for (const auto& [words, damage] : damages) {
    v1::TrajectoryGroup bad = good;
    bad.set_ordinal(77);
    damage(bad);
    const auto result = (*trainer)->Step({good, bad}, 0);
    EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << words;
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(words));
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("77"));
  }
  EXPECT_EQ(PackWeights((*trainer)->trained(), 0).manifest.version().digest(), before);
}

TEST(GrpoTrainer, NamesPatternsThatMatchNothingOrOverlap) {
  v1::RunConfig config = TinyRun();
  config.mutable_train()->mutable_image()->clear_trainable();
  config.mutable_train()->mutable_image()->add_trainable("no_such_tensor");
  EXPECT_THAT(std::string(GrpoTrainer::Create(config, TinyModel()).status().message()),
              HasSubstr("train.image.trainable"));
  config = TinyRun();
  config.mutable_train()->mutable_text()->add_trainable("llm2vae");
  config.mutable_train()->mutable_image()->add_trainable("q_proj.weight");
  EXPECT_TRUE(absl::IsFailedPrecondition(GrpoTrainer::Create(config, TinyModel()).status()));
}

TEST(Checkpoint, ResumesBitForBitAndNoticesDamage) {
  const std::string folder = TestFolder();
  const v1::RunConfig config = TinyRun();
  auto trainer = GrpoTrainer::Create(config, TinyModel());
  const auto step = [&](GrpoTrainer& t, int64_t n) {
    ASSERT_TRUE(
        t.Step({ImageGroup(t.policy(), config, 2 * n), TextGroup(t.policy(), config, 2 * n + 1)}, n).ok());
  };
  step(**trainer, 0);
  Checkpoint saved;
  saved.step = 1;
  saved.weights_digest = PackWeights((*trainer)->trained(), 1).manifest.version().digest();
  saved.weights = CloneTensors((*trainer)->trained());
  saved.optimizer = (*trainer)->OptimizerState();
  const auto digest = SaveCheckpoint(folder + "/step_000001", saved);
  ASSERT_TRUE(digest.ok()) << digest.status();
  step(**trainer, 1);

  const auto loaded = LoadCheckpoint(folder + "/step_000001", *digest);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  auto resumed = GrpoTrainer::Create(config, TinyModel());
  ASSERT_TRUE((*resumed)->RestoreWeights(loaded->weights).ok());
  ASSERT_TRUE((*resumed)->RestoreOptimizers(loaded->optimizer).ok());
  EXPECT_EQ(PackWeights((*resumed)->trained(), 1).manifest.version().digest(), saved.weights_digest);
  step(**resumed, 1);
  EXPECT_EQ(PackWeights((*resumed)->trained(), 2).manifest.version().digest(),
            PackWeights((*trainer)->trained(), 2).manifest.version().digest());

  EXPECT_TRUE(absl::IsDataLoss(LoadCheckpoint(folder + "/step_000001", std::string(64, '0')).status()));
  std::string bytes = *ReadFile(folder + "/step_000001/policy.safetensors");
  bytes.back() ^= 1;
  ASSERT_TRUE(WriteFileAtomic(folder + "/step_000001/policy.safetensors", bytes).ok());
  const auto damaged = LoadCheckpoint(folder + "/step_000001", *digest);
  EXPECT_TRUE(absl::IsDataLoss(damaged.status()));
  EXPECT_THAT(std::string(damaged.status().message()), HasSubstr("policy.safetensors is damaged"));
  std::filesystem::remove_all(folder);
}

TEST(Checkpoint, KeepsTheNewest) {
  const std::string folder = TestFolder();
  const auto there = [&](const std::string& name) { return std::filesystem::exists(folder + "/" + name); };
  for (const int64_t step : {5, 10, 15}) ASSERT_TRUE(MakeFolder(folder + "/" + CheckpointPath(step)).ok());
  PruneCheckpoints(folder + "/checkpoints", 15, 2);
  EXPECT_FALSE(there(CheckpointPath(5)));
  EXPECT_TRUE(there(CheckpointPath(10)));
  // Killed while 20 was written, and gone on from 10: what no record names does not push out what one does.
  for (const std::string& name : {CheckpointPath(20) + ".unfinished", CheckpointPath(20)})
    ASSERT_TRUE(MakeFolder(folder + "/" + name).ok());
  PruneCheckpoints(folder + "/checkpoints", 10, 1);
  EXPECT_TRUE(there(CheckpointPath(10)));
  EXPECT_FALSE(there(CheckpointPath(15)));
  EXPECT_FALSE(there(CheckpointPath(20)));
  EXPECT_FALSE(there(CheckpointPath(20) + ".unfinished"));
  std::filesystem::remove_all(folder);
}

TEST(Spool, StoresChecksAndForgets) {
  const std::string folder = TestFolder();
  Spool spool(folder);
  v1::TrajectoryGroup group;
  group.set_ordinal(3);
  const std::string bytes = group.SerializeAsString();
  EXPECT_TRUE(absl::IsDataLoss(spool.Put(3, 0, "wrong", bytes)));
  ASSERT_TRUE(spool.Put(3, 0, Sha256Hex(bytes), bytes).ok());
  ASSERT_TRUE(spool.Put(3, 0, Sha256Hex(bytes), bytes).ok());
  EXPECT_EQ(spool.Get(3, 0, Sha256Hex(bytes))->ordinal(), 3);
  EXPECT_TRUE(absl::IsNotFound(spool.Get(3, 1, Sha256Hex(bytes)).status()));
  ASSERT_TRUE(WriteFileAtomic(folder + "/3-0.group", "junk").ok());
  EXPECT_TRUE(absl::IsDataLoss(spool.Get(3, 0, Sha256Hex(bytes)).status()));
  spool.RemoveBelow(4);
  EXPECT_TRUE(absl::IsNotFound(spool.Get(3, 0, Sha256Hex(bytes)).status()));
  std::filesystem::remove_all(folder);
}

TEST(LearnerServices, CarryTrajectoriesAndWeightsIntact) {
  const std::string folder = TestFolder();
  Metrics metrics;
  Spool spool(folder);
  InboxService inbox(
      spool, [] { return std::string("run"); }, 64 << 20, metrics);
  WeightService weights(metrics);
  auto server = RpcServer::Start({}, {&inbox, &weights});
  ASSERT_TRUE(server.ok()) << server.status();
  LearnerClient client(64);

  v1::TrajectoryGroup group;
  group.set_ordinal(9);
  group.add_samples()->set_latents(std::string(5 << 20, 'x'));  // several chunks
  const std::string bytes = group.SerializeAsString();
  v1::UploadHeader header;
  header.mutable_fence()->set_run_id("run");
  header.set_ordinal(9);
  header.set_size_bytes(static_cast<int64_t>(bytes.size()));
  header.set_digest(Sha256Hex(bytes));
  const std::string address = (*server)->address();
  EXPECT_TRUE(client.Upload(address, header, bytes, absl::Seconds(10)).ok());
  EXPECT_EQ(spool.Get(9, 0, header.digest())->samples(0).latents().size(), size_t{5} << 20);
  header.mutable_fence()->set_run_id("another");
  EXPECT_TRUE(absl::IsFailedPrecondition(client.Upload(address, header, bytes, absl::Seconds(10))));
  header.mutable_fence()->set_run_id("run");
  header.set_digest(std::string(64, 'a'));
  EXPECT_TRUE(absl::IsDataLoss(client.Upload(address, header, bytes, absl::Seconds(10))));

  const TensorMap tensors = {{"a", torch::randn({1500, 1000})}, {"b", torch::randn({7})}};
  auto packed = std::make_shared<PackedWeights>(PackWeights(tensors, 4));
  EXPECT_EQ(packed->buckets.size(), 2u);  // "a" fills one
  EXPECT_TRUE(
      absl::IsNotFound(client.FetchWeights(address, packed->manifest.version(), absl::Seconds(10)).status()));
  weights.Publish(packed);
  int64_t received = 0;
  const auto fetched = client.FetchWeights(address, packed->manifest.version(), absl::Seconds(10),
                                           [&](int64_t n) { received += n; });
  ASSERT_TRUE(fetched.ok()) << fetched.status();
  EXPECT_EQ(received, (1500 * 1000 + 7) * 4);
  const auto unpacked = UnpackWeights(fetched->manifest, fetched->buckets);
  EXPECT_TRUE(torch::equal(unpacked->at("a"), tensors.at("a")));
  EXPECT_TRUE(torch::equal(unpacked->at("b"), tensors.at("b")));
  v1::PolicyVersion wrong = packed->manifest.version();
  wrong.set_digest("another");
  EXPECT_TRUE(absl::IsDataLoss(client.FetchWeights(address, wrong, absl::Seconds(10)).status()));
  std::filesystem::remove_all(folder);
}

TEST(WeightBuckets, RefuseManifestsThatLie) {
  const PackedWeights packed = PackWeights({{"a", torch::zeros({4, 4})}}, 1);
  EXPECT_TRUE(CheckManifest(packed.manifest).ok());
  v1::WeightManifest manifest = packed.manifest;
  manifest.mutable_tensors(0)->set_offset(8);
  EXPECT_TRUE(absl::IsDataLoss(CheckManifest(manifest)));
  manifest = packed.manifest;
  manifest.mutable_buckets(0)->set_sha256("x");
  EXPECT_TRUE(absl::IsDataLoss(CheckManifest(manifest)));
  // The number alone does not change the digest: equal weights are equal.
  EXPECT_EQ(PackWeights({{"a", torch::zeros({4, 4})}}, 2).manifest.version().digest(),
            packed.manifest.version().digest());
}

}  // namespace
}  // namespace lvrpo
