#include "pretraining/autoencoder_task.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <cstdio>

#include "absl/strings/str_format.h"
#include "common/files/file.h"
#include "common/json/json_text.h"
#include "common/random.h"
#include "pretraining/settings.h"
#include "pretraining/trainer.h"
#include "shapes_world/captions.h"

namespace lvrpo {
namespace {

struct Batch {
  torch::Tensor images;   // [B, 3, S, S] in [-1, 1], S = shapes::kImageSize
  torch::Tensor weights;  // [B, 1, S, S]
};

Batch MakeBatch(uint64_t seed, int64_t iteration, int64_t size, double object_weight) {
  std::vector<RgbImage> images, backgrounds;
  for (int64_t i = 0; i < size; ++i) {
    Random random(StreamSeed(seed, static_cast<uint64_t>(iteration * size + i)));
    shapes::Scene scene = shapes::RandomScene(random);
    images.push_back(Render(scene));
    scene.objects.clear();
    backgrounds.push_back(Render(scene));
  }
  Batch batch;
  batch.images = FromRgbImages(images);
  const torch::Tensor object = (batch.images - FromRgbImages(backgrounds)).abs().amax(1, true).gt(1e-6);
  batch.weights = 1 + (object_weight - 1) * object.to(torch::kFloat32);
  return batch;
}

double Psnr(const torch::Tensor& a, const torch::Tensor& b) {
  return -10 * std::log10(((a - b) / 2).square().mean().item<double>());
}

}  // namespace

AutoencoderConfig ShapesAutoencoderConfig() {
  AutoencoderConfig config;
  config.ch = 16;
  config.ch_mult = {1, 2, 2, 4};
  config.num_res_blocks = 1;
  config.norm_groups = 16;
  config.scale_factor = 1;
  config.shift_factor = 0;
  return config;
}

absl::StatusOr<Autoencoder> LoadShapesAutoencoder(const std::string& folder) {
  absl::StatusOr<std::string> json = ReadFile(JoinPath(folder, "autoencoder.json"));
  if (!json.ok()) return json.status();
  const nlohmann::json parsed = nlohmann::json::parse(*json, nullptr, false);
  if (!parsed.is_object())
    return absl::InvalidArgumentError(folder + "/autoencoder.json is not a JSON object");
  auto config = AutoencoderConfig::FromJson(parsed, folder + "/autoencoder.json");
  if (!config.ok()) return config.status();
  const std::string path = JoinPath(folder, "ae.safetensors");
  auto tensors = LoadTensors(path);
  if (!tensors.ok()) return tensors.status();
  return Autoencoder::Create(*config, *std::move(tensors), path);
}

absl::Status TrainAutoencoder(const v1::PretrainAutoencoder& task, bool resume) {
  if (absl::Status status = MakeFolder(task.out()); !status.ok()) return status;
  AutoencoderConfig config = ShapesAutoencoderConfig();
  const TensorMap tensors = Autoencoder::RandomInit(config, task.seed());
  auto trainer = Trainer::Create("autoencoder", tensors, TrainerOptionsFor(task, resume));
  if (!trainer.ok()) return trainer.status();
  auto model = Autoencoder::Create(config, tensors, "fresh autoencoder");
  if (!model.ok()) return model.status();

  const auto loss = [&](int64_t iteration, std::string* line) {
    const Batch batch = MakeBatch(task.seed(), iteration, task.batch(), task.object_weight());
    const Autoencoder::Moments moments = model->Encode(batch.images);
    const torch::Tensor logvar = moments.logvar.clamp(-20, 10);
    torch::Generator generator = torch::make_generator<torch::CPUGeneratorImpl>(
        StreamSeed(task.seed() ^ 0xae, static_cast<uint64_t>(iteration)));
    const torch::Tensor noise = torch::randn(logvar.sizes().vec(), generator);
    const torch::Tensor output = model->Decode(moments.mean + (0.5 * logvar).exp() * noise);
    const torch::Tensor difference = output - batch.images;
    const torch::Tensor reconstruction = ((difference.abs() + difference.square()) * batch.weights).mean();
    const torch::Tensor kl = 0.5 * (moments.mean.square() + logvar.exp() - 1 - logvar).mean();
    if (line != nullptr && (iteration + 1) % task.train().report_every() == 0) {
      *line =
          absl::StrFormat("psnr %.1f dB  kl %.2f", Psnr(output.detach(), batch.images), kl.item<double>());
    }
    return reconstruction + task.kl_weight() * kl;
  };
  if (absl::Status status = trainer->Run(loss); !status.ok()) return status;

  // Scale and shift that give the mean latent unit variance, as the policy expects.
  torch::NoGradGuard no_grad;
  auto averaged = Autoencoder::Create(config, CloneTensors(trainer->averaged()), "averaged autoencoder");
  if (!averaged.ok()) return averaged.status();
  const Batch batch = MakeBatch(task.seed() ^ 0x5ca1e, 0, 256, 1);
  const torch::Tensor mean = averaged->Encode(batch.images).mean;
  config.shift_factor = mean.mean().item<double>();
  config.scale_factor = 1 / mean.std().item<double>();
  std::printf("autoencoder: psnr of mean latents %.2f dB, scale %.4f, shift %.4f\n",
              Psnr(averaged->Decode(mean), batch.images), config.scale_factor, config.shift_factor);
  if (absl::Status status =
          SaveTensors(JoinPath(task.out(), "ae.safetensors"), averaged->tensors(), torch::kBFloat16);
      !status.ok()) {
    return status;
  }
  return WriteFileAtomic(JoinPath(task.out(), "autoencoder.json"), JsonText(config.ToJson(), 1) + "\n");
}

}  // namespace lvrpo
