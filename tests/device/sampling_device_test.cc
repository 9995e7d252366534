// What a rollout worker and an evaluation do, on a device that is no CPU.

#include "evaluation/evaluator.h"
#include "generation/image_engine.h"
#include "generation/unified_model.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/weights/moved.h"
#include "policy/contract.h"
#include "policy/run_policy.h"
#include "rollout_worker/policy_holder.h"
#include "tests/device/moved.h"
#include "tests/rollout_worker/world.h"
#include "tests/trajectory/tiny_run.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

// The embedded default on the device, its prompts and its worker.
struct DeviceWorld {
  RunModel model = *LoadRunModel(TheWorld().config, TestDevice());
  Generator generator = Generator(TheWorld().config, model.autoencoder, *TheWorld().tokenizer);
};

DeviceWorld& OnDevice() {
  static auto* world = new DeviceWorld;
  return *world;
}

TEST(SamplingOnADevice, LoadsTheSameModelThere) {
  const DeviceWorld& world = OnDevice();
  for (const auto& [name, tensor] : world.model.policy.tensors()) EXPECT_EQ(tensor.device(), TestDevice());
  for (const auto& [name, tensor] : world.model.autoencoder.tensors())
    EXPECT_EQ(tensor.device(), TestDevice());
  EXPECT_EQ(DigestOf(world.model.policy.tensors()), DigestOf(TheWorld().base.tensors()));
  // Strict runs let a worker work with a learner only where both compute alike.
  v1::RunConfig strict = TheWorld().config;
  strict.mutable_train()->set_max_staleness(0);
  const auto host = WorkContract(strict, TheWorld().base, *TheWorld().tokenizer),
             device = WorkContract(strict, world.model.policy, *TheWorld().tokenizer);
  int different = 0;
  for (const auto& [name, digest] : host) different += device.at(name) != digest ? 1 : 0;
  EXPECT_EQ(different, 1);
  v1::RunConfig elsewhere = strict;
  elsewhere.mutable_rollout()->set_device("cuda");
  EXPECT_EQ(WorkContract(elsewhere, TheWorld().base, *TheWorld().tokenizer), host);
}

TEST(SamplingOnADevice, AWorkersGroupsAreThoseOfACpu) {
  World& host = TheWorld();
  DeviceWorld& device = OnDevice();
  const auto on_host = *MakePolicy(host.base, {}, Version(0, "base")),
             on_device = *MakePolicy(device.model.policy, {}, Version(0, "base"));
  int images = 0, texts = 0;
  for (int64_t ordinal = 0; images == 0 || texts == 0; ++ordinal) {
    const PromptSource::Prompt& prompt = host.prompts.At(ordinal);
    const bool text = prompt.record.task() == v1::TASK_KIND_TEXT;
    if (++(text ? texts : images) > 1) continue;
    const GeneratedGroup want = host.generator.Generate(*on_host, prompt, Lease(ordinal)),
                         got = device.generator.Generate(*on_device, prompt, Lease(ordinal));
    const TrajectoryRules rules = {host.config, host.base.config()};
    const SampledGroup a = *ReadGroup(want.trajectory, prompt, rules),
                       b = *ReadGroup(got.trajectory, prompt, rules);
    if (text) {
      EXPECT_EQ(std::get<TextGroup>(b.samples).ids, std::get<TextGroup>(a.samples).ids);
      continue;
    }
    EXPECT_TRUE(
        Close(std::get<ImageGroup>(b.samples).latents, std::get<ImageGroup>(a.samples).latents, 1e-3));
    EXPECT_EQ(got.score_request.items_size(), want.score_request.items_size());
  }
}

TEST(SamplingOnADevice, TakesAVersionFromTheHost) {
  const torch::NoGradGuard no_grad;
  const Bagel base = Moved(TinyModel());
  const TensorMap trained = {{"llm2vae.bias", torch::full({TinyRunConfig().token_dim()}, 2.0F)}};
  const auto policy = *MakePolicy(base, trained, Version(3, "digest"));
  EXPECT_EQ(policy->model.tensors().at("llm2vae.bias").device(), TestDevice());
  // And the other way: what is packed there is what is packed here.
  EXPECT_EQ(PackWeights(policy->model.tensors(), 1).manifest.version().digest(),
            PackWeights(HostCopies(policy->model.tensors()), 1).manifest.version().digest());
}

TEST(SamplingOnADevice, ExpertsAndAdaptersRunThere) {
  BagelConfig routed = TinyRunConfig();
  routed.router = {.top_k = true, .experts = 4, .experts_per_token = 2};
  TensorMap tensors = Bagel::RandomInit(routed, 3);
  Scramble(tensors, 4);
  TensorMap adapted = TinyModel().tensors();
  const LoraConfig lora = {.rank = 2, .alpha = 4, .modules = {"_proj"}};
  ASSERT_TRUE(AddLora(adapted, lora, 5).ok());
  Scramble(adapted, 6);
  const Bagel models[] = {*Bagel::Create(routed, tensors, "test"),
                          *Bagel::Create(TinyRunConfig(), adapted, "test", lora)};
  for (const Bagel& model : models) {
    const bool has_lora = &model == &models[1];
    const Bagel moved = Moved(model, has_lora ? std::optional(lora) : std::nullopt);
    const auto images = [](const Bagel& own) {
      return std::get<ImageGroup>(SampleImageGroup(own, TinyRun(), 1).samples).latents.cpu();
    };
    EXPECT_TRUE(Close(images(moved), images(model), 1e-3)) << has_lora;
    EXPECT_EQ(std::get<TextGroup>(SampleTextGroup(moved, TinyRun(), 1).samples).ids,
              std::get<TextGroup>(SampleTextGroup(model, TinyRun(), 1).samples).ids);
  }
}

// An image, a text and latents in a context, and an image painted from it with guidance.
torch::Tensor Edit(const UnifiedModel& model) {
  const RgbImage image = {64, 64, std::vector<uint8_t>(64 * 64 * 3, 90)};
  KvCache context;
  ImageSize size;
  EXPECT_TRUE(model.AppendLatents(context, image, size).ok());
  EXPECT_TRUE(model.AppendImage(context, image).ok());
  const KvCache text_free = context;
  EXPECT_TRUE(model.AppendText(context, "a red circle").ok());
  KvCache image_free;
  EXPECT_TRUE(model.AppendText(image_free, "a red circle").ok());
  const LatentGrid grid = {.height = size.height / model.stride(), .width = size.width / model.stride()};
  const ImageRequest request = {
      .full = context, .text_free = text_free, .image_free = image_free, .samples = 2};
  torch::NoGradGuard no_grad;
  const torch::Tensor latents = GenerateLatents(model.bagel, {&request, 1},
                                                {.grid = grid,
                                                 .timesteps = Timesteps(4, 3),
                                                 .guidance = {.text_scale = 4,
                                                              .image_scale = 2,
                                                              .interval_low = .2,
                                                              .renorm = GuidanceOptions::Renorm::kChannel}});
  const torch::Tensor pixels = model.autoencoder->Decode(
      Unpatchify(latents, model.bagel.config().latent_patch, grid.height, grid.width));
  EXPECT_EQ(ToRgbImages(pixels).size(), 2);
  return pixels.cpu();
}

TEST(SamplingOnADevice, ImagesAreEdited) {
  const std::string folder = TheWorld().config.model().policy();
  const auto host = LoadUnifiedModel(folder, torch::kFloat32, torch::kCPU, true),
             device = LoadUnifiedModel(folder, torch::kFloat32, TestDevice(), true);
  ASSERT_TRUE(host.ok() && device.ok()) << host.status() << device.status();
  EXPECT_TRUE(Close(Edit(*device), Edit(*host), 1e-2));
}

TEST(SamplingOnADevice, APolicyIsEvaluated) {
  v1::RunConfig config = LoadRunConfig("configs/shapes.yaml", {"evaluation.timesteps=3"})->config;
  const auto evaluated = [&](torch::Device device) {
    RunModel run = *LoadRunModel(config, device);
    const EvaluatedPolicy policy = {std::move(run.policy), std::move(run.autoencoder),
                                    std::move(run.tokenizer), ""};
    const std::string &images = config.data().heldout_image_prompts(),
                      &texts = config.data().heldout_text_prompts();
    const auto prompts = *ReadHeldOut(config, policy, v1::TASK_KIND_IMAGE, images, 1);
    const auto questions = *ReadHeldOut(config, policy, v1::TASK_KIND_TEXT, texts, 1);
    const auto judged = *EvaluateImages(config, policy, {prompts[0], prompts[1]}, nullptr);
    const auto answers = *EvaluateAnswers(config, policy, texts, {questions[0]});
    return std::pair(judged.size(), answers[0].probability);
  };
  const auto host = evaluated(torch::kCPU), device = evaluated(TestDevice());
  EXPECT_EQ(device.first, host.first);
  EXPECT_NEAR(device.second, host.second, 1e-3);
}

}  // namespace
}  // namespace lvrpo
