#include "reward_server/scorers/paligemma_scorer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/hash.h"
#include "common/json/json_text.h"
#include "model/weights/moved.h"
#include "reward_server/scorers/fixed_pixels.h"

namespace lvrpo {
namespace {

constexpr double kLittle = 0.1;  // probability of all choices together

}  // namespace

absl::StatusOr<std::unique_ptr<PaliGemmaScorer>> PaliGemmaScorer::Load(const std::string& folder,
                                                                       torch::Device device) {
  absl::StatusOr<PaliGemma> model = OnDevice(PaliGemma::Load(folder), device, folder);
  if (!model.ok()) return model.status();
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer =
      LoadTokenizer(folder, {.lowercase = false, .add_control_tokens = false});
  if (!tokenizer.ok()) return tokenizer.status();
  const absl::StatusOr<ImageProcessor> processor = ReadImageProcessor(
      folder,
      {.types = {"SiglipImageProcessor", "SiglipImageProcessorFast", "SiglipImageProcessorPil"},
       .side = model->config().image_size,
       .image_tokens = model->config().image_tokens()},
      {.filter = ResizeFilter::kBicubic});
  if (!processor.ok()) return processor.status();
  return std::make_unique<PaliGemmaScorer>(*std::move(model), *std::move(tokenizer), *processor);
}

PaliGemmaScorer::PaliGemmaScorer(PaliGemma model, std::unique_ptr<Tokenizer> tokenizer,
                                 const ImageProcessor& processor)
    : model_(std::move(model)),
      tokenizer_(std::move(tokenizer)),
      processor_(processor),
      digest_(ComputeDigest()) {}

std::string PaliGemmaScorer::ComputeDigest() const {
  return absl::StrCat("paligemma/1/", processor_.Digest(), "/", tokenizer_->digest(), "/",
                      Sha256Hex(JsonText(model_.config().ToJson()) + DigestOf(model_.tensors())));
}

absl::StatusOr<torch::Tensor> PaliGemmaScorer::ChoiceLogProbs(const torch::Tensor& image_tokens,
                                                              const std::string& question,
                                                              const Choices& choices) const {
  const absl::StatusOr<std::vector<int64_t>> ids =
      PaliGemmaPrefixIds(*tokenizer_, absl::StrCat("answer en ", question));
  if (!ids.ok()) return ids.status();
  const int64_t images = image_tokens.size(0);
  const torch::Tensor asked = torch::tensor(*ids, torch::kInt64).expand({images, -1});
  const PaliGemma::Prefix prefix = model_.ReadPrefix(
      image_tokens, asked, torch::full({images}, static_cast<int64_t>(ids->size()), torch::kInt64));
  std::vector<torch::Tensor> columns;
  for (std::vector<int64_t> choice : choices.ids) {
    choice.push_back(tokenizer_->eos());
    const torch::Tensor answer = torch::tensor(choice, torch::kInt64).expand({images, -1});
    columns.push_back(model_.SuffixLogProbs(prefix, answer).sum(1));
  }
  return torch::stack(columns, 1).cpu();
}

absl::StatusOr<std::vector<SampleScore>> PaliGemmaScorer::ScoreGroup(const ScoringGroup& group) {
  const torch::NoGradGuard no_grad;
  const absl::StatusOr<torch::Tensor> pixels =
      FixedPixels(group.images, static_cast<int>(model_.config().image_size), processor_);
  if (!pixels.ok()) return pixels.status();
  const torch::Tensor image_tokens = model_.ImageTokens(*pixels);  // computed once for all questions
  const auto count = static_cast<int64_t>(group.images.size());
  torch::Tensor right = torch::zeros({count}), all = torch::zeros({count});
  for (const v1::Question& question : group.prompt.questions()) {
    const auto bad = [&](const absl::Status& status) {
      return absl::Status(status.code(), absl::StrCat("prompt ", group.prompt.id(), ", question \"",
                                                      question.text(), "\": ", status.message()));
    };
    const absl::StatusOr<Choices> choices = ReadChoices(*tokenizer_, question);
    if (!choices.ok()) return bad(choices.status());
    const absl::StatusOr<torch::Tensor> log_probs = ChoiceLogProbs(image_tokens, question.text(), *choices);
    if (!log_probs.ok()) return bad(log_probs.status());
    right += torch::softmax(*log_probs, 1).select(1, choices->right);
    all += log_probs->exp().sum(1);
  }
  right /= group.prompt.questions_size();
  all /= group.prompt.questions_size();
  std::vector<SampleScore> scores(group.images.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    scores[i].value = right[row].item<float>();
    const double mass = all[row].item<double>();
    if (mass < kLittle) {
      scores[i].detail =
          absl::StrFormat("the model would rather say something else: all choices together have %.2g", mass);
    }
  }
  return scores;
}

}  // namespace lvrpo
