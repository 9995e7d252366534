#include "evaluation/evaluator.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "absl/strings/str_cat.h"
#include "algorithm/image_sampler.h"
#include "data/prompts/prompts.h"
#include "generation/image_engine.h"
#include "generation/text_engine.h"
#include "model/source_image.h"
#include "model/weights/device.h"
#include "policy/run_policy.h"
#include "policy/sample_settings.h"
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
  const absl::StatusOr<torch::Device> device = FindDevice(config.rollout().device());
  if (!device.ok()) return device.status();
  absl::StatusOr<RunModel> run = LoadRunModel(config, *device);
  if (!run.ok()) return run.status();
  absl::StatusOr<Bagel> model = std::move(run->policy);
  if (!weights.empty()) {
    absl::StatusOr<TensorMap> trained = LoadTensors(weights);
    if (!trained.ok()) return trained.status();
    model = WithPublished(*model, *trained, weights);
    if (!model.ok()) return model.status();
  }
  std::string digest = DigestOf(model->tensors());
  return EvaluatedPolicy{*std::move(model), std::move(run->autoencoder), std::move(run->tokenizer),
                         std::move(digest)};
}

absl::StatusOr<std::vector<HeldOutPrompt>> ReadHeldOut(const v1::RunConfig& config,
                                                       const EvaluatedPolicy& policy, v1::TaskKind task,
                                                       const std::string& path, int per_kind) {
  if (task == v1::TASK_KIND_IMAGE) {
    if (absl::Status status = CheckImageSize(config.rollout(), policy.model.config()); !status.ok())
      return status;
  }
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
      prompts.push_back({.record = record, .place = here});
      return absl::OkStatus();
    }
    const absl::StatusOr<LatentGrid> grid = ImageGrid(record, config.rollout(), policy.model.config());
    if (!grid.ok()) return grid.status();
    prompts.push_back({.record = record, .place = here, .grid = *grid});
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
  const auto batch = static_cast<size_t>(std::max(1, config.evaluation().batch()));
  ImageEngineOptions options = {
      .timesteps = Timesteps(config.evaluation().timesteps(), config.rollout().shift()),
      .guidance = {.text_scale = config.rollout().cfg_scale()}};
  std::vector<EvaluatedImage> evaluated;
  for (size_t begin = 0, end = 0; begin < prompts.size(); begin = end) {
    options.grid = prompts[begin].grid;
    while (end < std::min(prompts.size(), begin + batch) && prompts[end].grid == options.grid) ++end;
    std::vector<ImageRequest> requests;
    for (size_t i = begin; i < end; ++i) {
      const absl::StatusOr<std::vector<int32_t>> ids = policy.tokenizer->Encode(prompts[i].record.text());
      if (!ids.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("held-out prompt ", prompts[i].record.id(), ": ", ids.status().message()));
      }
      requests.push_back({.full = policy.model.PrefillPrompt(*ids),
                          .noise = EvaluationNoise(kNoiseSeed, prompts[i].place, 1, options.grid.tokens(),
                                                   model.token_dim())});
    }
    const torch::Tensor latents = GenerateLatents(policy.model, requests, options);
    std::vector<RgbImage> images = ToRgbImages(policy.autoencoder.Decode(
        Unpatchify(latents, model.latent_patch, options.grid.height, options.grid.width)));
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
