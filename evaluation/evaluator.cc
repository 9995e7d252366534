#include "evaluation/evaluator.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "absl/strings/str_cat.h"
#include "algorithm/image_sampler.h"
#include "common/files/file.h"
#include "data/prompts/prompts.h"
#include "generation/text_engine.h"
#include "model/source_image.h"
#include "policy/run_policy.h"
#include "shapes_world/checker.h"
#include "verifiers/rules/question.h"

namespace lvrpo {
namespace {

// The same in every run, so that scores of runs can be compared image by image.
constexpr uint64_t kNoiseSeed = 20260101;

DecodeOptions ImageOptions(const v1::RunConfig& config) {
  return {.upright = config.data().exif_orientation()};
}

ImageJudgement Judge(const RgbImage& image, const v1::PromptRecord& record) {
  const shapes::CheckResult result = shapes::Check(image, record);
  ImageJudgement judgement;
  judgement.id = record.id();
  judgement.kind = record.kind();
  judgement.prompt = record.text();
  judgement.correct = result.correct;
  judgement.presence_only = result.presence_only;
  judgement.objects = static_cast<int>(result.objects.size());
  for (const v1::ObjectConstraint& object : record.constraints().objects())
    judgement.objects_asked += object.count();
  for (const shapes::SegmentedShape& object : result.objects) {
    judgement.unknown_shapes += object.shape == "unknown";
    judgement.detected.push_back(absl::StrCat(object.color, " ", object.shape));
    judgement.colors.push_back(object.color);
  }
  return judgement;
}

}  // namespace

absl::StatusOr<EvaluatedPolicy> LoadEvaluatedPolicy(const v1::RunConfig& config, const std::string& weights) {
  const std::string& folder = config.model().policy();
  absl::StatusOr<Bagel> model = LoadRunPolicy(config);
  if (!model.ok()) return model.status();
  if (!weights.empty()) {
    absl::StatusOr<TensorMap> trained = LoadTensors(weights);
    if (!trained.ok()) return trained.status();
    model = model->WithTensors(*trained, weights);
    if (!model.ok()) return model.status();
  }
  const std::string autoencoder_path = JoinPath(folder, "ae.safetensors");
  absl::StatusOr<TensorMap> tensors = LoadTensors(autoencoder_path);
  if (!tensors.ok()) return tensors.status();
  absl::StatusOr<Autoencoder> autoencoder =
      Autoencoder::Create(model->config().autoencoder, *std::move(tensors), autoencoder_path);
  if (!autoencoder.ok()) return autoencoder.status();
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(folder);
  if (!tokenizer.ok()) return tokenizer.status();
  std::string digest = DigestOf(model->tensors());
  return EvaluatedPolicy{*std::move(model), *std::move(autoencoder), *std::move(tokenizer),
                         std::move(digest)};
}

absl::StatusOr<std::vector<HeldOutPrompt>> ReadHeldOut(const v1::RunConfig& config,
                                                       const EvaluatedPolicy& policy, v1::TaskKind task,
                                                       const std::string& path, int per_kind) {
  std::vector<HeldOutPrompt> prompts;
  std::map<std::string, int> taken;
  uint32_t place = 0;
  const auto check = [&](const v1::PromptRecord& record) -> absl::Status {
    const uint32_t here = place++;
    if (absl::Status status = CheckQuestions(record); !status.ok()) return status;
    if (taken[record.kind()]++ >= per_kind) return absl::OkStatus();
    if (absl::Status status = CheckPromptTask(record, task); !status.ok()) return status;
    for (const std::string& text : {record.text(), record.answer()}) {
      if (text.empty()) continue;
      if (absl::Status status = policy.tokenizer->Encode(text).status(); !status.ok())
        return absl::Status(status.code(), absl::StrCat("prompt '", record.id(), "': ", status.message()));
    }
    if (task == v1::TASK_KIND_TEXT) {
      if (absl::Status status =
              ReadSourceImage(path, record, policy.model.config(), ImageOptions(config)).status();
          !status.ok())
        return status;
    }
    prompts.push_back({record, here});
    return absl::OkStatus();
  };
  if (absl::Status status = ReadPromptFile(path, check).status(); !status.ok()) return status;
  return prompts;
}

absl::StatusOr<std::vector<EvaluatedImage>> EvaluateImages(const v1::RunConfig& config,
                                                           const EvaluatedPolicy& policy,
                                                           const std::vector<HeldOutPrompt>& prompts,
                                                           const std::function<void(size_t)>& progress) {
  torch::NoGradGuard no_grad;
  const BagelConfig& model = policy.model.config();
  const std::vector<float> timesteps = Timesteps(config.evaluation().timesteps(), config.rollout().shift());
  const auto batch = static_cast<size_t>(std::max(1, config.evaluation().batch()));
  std::vector<EvaluatedImage> evaluated;
  for (size_t begin = 0; begin < prompts.size(); begin += batch) {
    const size_t end = std::min(prompts.size(), begin + batch);
    const v1::Constraints& first = prompts[begin].record.constraints();
    const int64_t patch = policy.autoencoder.config().downsample() * model.latent_patch;
    const int64_t height = (first.height() > 0 ? first.height() : 64) / patch;
    const int64_t width = (first.width() > 0 ? first.width() : 64) / patch;
    if (std::max(height, width) > model.max_latent_side || std::min(height, width) < 1) {
      return absl::InvalidArgumentError(absl::StrCat("held-out prompt ", prompts[begin].record.id(),
                                                     " asks for an image of ", first.width(), "x",
                                                     first.height(), " pixels; the model paints sides of ",
                                                     patch, " to ", patch * model.max_latent_side));
    }
    std::vector<KvCache> contexts;
    std::vector<torch::Tensor> noise;
    for (size_t i = begin; i < end; ++i) {
      const absl::StatusOr<std::vector<int32_t>> ids = policy.tokenizer->Encode(prompts[i].record.text());
      if (!ids.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("held-out prompt ", prompts[i].record.id(), ": ", ids.status().message()));
      }
      contexts.push_back(policy.model.PrefillPrompt(*ids));
      noise.push_back(EvaluationNoise(kNoiseSeed, prompts[i].place, 1, height * width, model.token_dim()));
    }
    const VelocityFunction velocity = BagelVelocity(policy.model, KvCache::Stack(contexts), height, width,
                                                    {.text_scale = config.rollout().cfg_scale()});
    const torch::Tensor latents = SampleOde(velocity, torch::cat(noise), timesteps);
    std::vector<RgbImage> images =
        ToRgbImages(policy.autoencoder.Decode(Unpatchify(latents, model.latent_patch, height, width)));
    for (size_t i = begin; i < end; ++i) {
      evaluated.push_back({Judge(images[i - begin], prompts[i].record), std::move(images[i - begin])});
    }
    if (progress) progress(end);
  }
  return evaluated;
}

absl::StatusOr<std::vector<AnswerJudgement>> EvaluateAnswers(const v1::RunConfig& config,
                                                             const EvaluatedPolicy& policy,
                                                             const std::string& prompt_file,
                                                             const std::vector<HeldOutPrompt>& prompts) {
  torch::NoGradGuard no_grad;
  std::vector<AnswerJudgement> judged;
  const auto batch = static_cast<size_t>(std::max(1, config.evaluation().batch()));
  for (size_t begin = 0; begin < prompts.size(); begin += batch) {
    const std::span chunk(prompts.data() + begin, std::min(batch, prompts.size() - begin));
    std::vector<TextRequest> requests;
    for (const HeldOutPrompt& prompt : chunk) {
      const absl::StatusOr<RgbImage> image =
          ReadSourceImage(prompt_file, prompt.record, policy.model.config(), ImageOptions(config));
      if (!image.ok()) return image.status();
      const absl::StatusOr<std::vector<int32_t>> ids = policy.tokenizer->Encode(prompt.record.text());
      if (!ids.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("held-out question ", prompt.record.id(), ": ", ids.status().message()));
      }
      requests.push_back({.context = policy.model.PrefillQuestion(FromRgbImages({*image}), *ids),
                          .start = policy.model.config().bos,
                          .options = {.max_tokens = config.rollout().max_text_tokens(),
                                      .temperature = 0,
                                      .eos = policy.tokenizer->eos()},
                          .stop = {}});
    }
    const absl::StatusOr<std::vector<TextSamples>> answers = GenerateTexts(policy.model, requests, 0);
    if (!answers.ok()) return answers.status();
    for (size_t i = 0; i < chunk.size(); ++i) {
      const v1::PromptRecord& record = chunk[i].record;
      absl::StatusOr<std::vector<int32_t>> right = policy.tokenizer->Encode(record.answer());
      if (!right.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("answer of held-out question ", record.id(), ": ", right.status().message()));
      }
      right->push_back(policy.tokenizer->eos());
      const torch::Tensor response = torch::tensor(*right, torch::kInt64).unsqueeze(0);
      const double log_prob =
          policy.model.ResponseLogProbs(requests[i].context, response, 1).sum().item<double>();
      judged.push_back({record.id(), record.kind(),
                        policy.tokenizer->Decode((*answers)[i].ids[0]) == record.answer(),
                        std::exp(log_prob)});
    }
  }
  return judged;
}

}  // namespace lvrpo
