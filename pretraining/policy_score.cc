#include "pretraining/policy_score.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "algorithm/image_sampler.h"
#include "algorithm/schedule.h"
#include "data/image/png.h"
#include "generation/image_engine.h"
#include "generation/text_engine.h"
#include "model/autoencoder.h"
#include "shapes_world/captions.h"
#include "shapes_world/checker.h"

namespace lvrpo {
namespace {

constexpr int64_t kBatch = 60;
constexpr uint64_t kNoiseSeed = 20260101;

std::map<std::string, double> Shares(const std::map<std::string, std::pair<int, int>>& counts) {
  std::map<std::string, double> shares;
  int hits = 0, total = 0;
  for (const auto& [kind, count] : counts) {
    shares[kind] = static_cast<double>(count.first) / count.second;
    hits += count.first;
    total += count.second;
  }
  if (total > 0) shares["all"] = static_cast<double>(hits) / total;
  return shares;
}

}  // namespace

std::string FormatScores(const std::map<std::string, double>& scores) {
  std::string text;
  for (const auto& [kind, score] : scores) text += absl::StrFormat("%s %.3f  ", kind, score);
  return text;
}

std::map<std::string, double> ScorePolicy(const Bagel& model, const Autoencoder& autoencoder,
                                          const Tokenizer& tokenizer,
                                          const std::vector<v1::PromptRecord>& prompts, int per_kind,
                                          double cfg_scale, const std::string& grid_png) {
  torch::NoGradGuard no_grad;
  std::vector<const v1::PromptRecord*> chosen;
  std::map<std::string, int> taken;
  for (const v1::PromptRecord& record : prompts) {
    if (taken[record.kind()]++ < per_kind) chosen.push_back(&record);
  }
  const BagelConfig& config = model.config();
  const ImageEngineOptions options = {.grid = *LatentGridOf(shapes::kImageSize, shapes::kImageSize, config),
                                      .timesteps = Timesteps(10, 2.0),
                                      .guidance = {.text_scale = cfg_scale}};
  std::map<std::string, std::pair<int, int>> counts;
  std::vector<RgbImage> all_images;
  for (size_t begin = 0; begin < chosen.size(); begin += kBatch) {
    const size_t end = std::min(chosen.size(), begin + kBatch);
    const torch::Tensor noise =
        EvaluationNoise(kNoiseSeed, static_cast<uint32_t>(begin), static_cast<int64_t>(end - begin),
                        options.grid.tokens(), config.token_dim());
    std::vector<ImageRequest> requests;
    for (size_t i = begin; i < end; ++i) {
      const auto ids = tokenizer.Encode(chosen[i]->text());
      if (!ids.ok()) throw std::runtime_error(std::string(ids.status().message()));
      requests.push_back(
          {.full = model.PrefillPrompt(*ids), .noise = noise.narrow(0, static_cast<int64_t>(i - begin), 1)});
    }
    const torch::Tensor latents = GenerateLatents(model, requests, options);
    const std::vector<RgbImage> images = ToRgbImages(autoencoder.Decode(
        Unpatchify(latents, config.latent_patch, options.grid.height, options.grid.width)));
    for (size_t i = begin; i < end; ++i) {
      auto& count = counts[chosen[i]->kind()];
      count.first += shapes::Check(images[i - begin], *chosen[i]).correct;
      ++count.second;
    }
    all_images.insert(all_images.end(), images.begin(), images.end());
  }
  if (!grid_png.empty()) (void)WritePng(grid_png, MakeGrid(all_images, per_kind, 2, 1));
  return Shares(counts);
}

std::map<std::string, double> ScoreAnswers(const Bagel& model, const Tokenizer& tokenizer, int questions,
                                           uint64_t seed) {
  torch::NoGradGuard no_grad;
  Random random(seed);
  std::map<std::string, std::pair<int, int>> counts;
  for (int i = 0; i < questions; ++i) {
    const shapes::Scene scene = shapes::RandomScene(random);
    const shapes::QuestionAnswer question = shapes::AskAbout(scene, random);
    const TextRequest request = {.context = model.PrefillQuestion(FromRgbImages({Render(scene)}),
                                                                  *tokenizer.Encode(question.question)),
                                 .start = model.config().bos,
                                 .options = {.max_tokens = 4, .temperature = 0, .eos = tokenizer.eos()},
                                 .stop = {}};
    const TextSamples answer = *GenerateText(model, request, 0);  // a few tokens always fit
    auto& count = counts[question.kind];
    count.first += tokenizer.Decode(answer.ids[0]) == question.answer;
    ++count.second;
  }
  return Shares(counts);
}

}  // namespace lvrpo
