#include "reward_server/knowledge.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/autoencoder.h"

namespace lvrpo {

KnowledgeScorer::KnowledgeScorer(Bagel model, std::unique_ptr<Tokenizer> tokenizer)
    : model_(std::move(model)),
      tokenizer_(std::move(tokenizer)),
      digest_(absl::StrCat("knowledge/1/", DigestOf(model_.tensors()))) {}

absl::StatusOr<std::vector<Score>> KnowledgeScorer::ScoreBatch(const ScoringBatch& batch) {
  torch::NoGradGuard no_grad;
  const auto count = static_cast<int64_t>(batch.images.size());
  KvCache images;  // each image once; every question goes on from here
  model_.AppendImage(images, FromRgbImages(batch.images));
  torch::Tensor sum = torch::zeros({count});
  for (const v1::Question& question : batch.prompt.questions()) {
    const auto bad = [&](const std::string& what) {
      return absl::InvalidArgumentError(
          absl::StrCat("prompt ", batch.prompt.id(), ", question \"", question.text(), "\": ", what));
    };
    const absl::StatusOr<std::vector<int32_t>> ids = tokenizer_->Encode(question.text());
    if (!ids.ok()) return bad(std::string(ids.status().message()));
    std::vector<std::vector<int64_t>> answers;
    size_t longest = 0;
    int64_t right = -1;
    for (int c = 0; c < question.choices_size(); ++c) {
      const absl::StatusOr<std::vector<int32_t>> answer = tokenizer_->Encode(question.choices(c));
      if (!answer.ok()) return bad(std::string(answer.status().message()));
      answers.emplace_back(answer->begin(), answer->end());
      answers.back().push_back(tokenizer_->eos());
      longest = std::max(longest, answers.back().size());
      if (question.choices(c) == question.answer()) right = c;
    }
    if (right < 0) return bad("its answer is not among its choices");
    // All choices of all images in one batch, image by image.
    const auto choices = static_cast<int64_t>(answers.size());
    torch::Tensor responses =
        torch::full({choices, static_cast<int64_t>(longest)}, int64_t{tokenizer_->eos()}, torch::kInt64);
    torch::Tensor counts = torch::zeros({choices, static_cast<int64_t>(longest)});
    for (int64_t c = 0; c < choices; ++c) {
      const auto length = static_cast<int64_t>(answers[static_cast<size_t>(c)].size());
      responses[c].narrow(0, 0, length).copy_(torch::tensor(answers[static_cast<size_t>(c)], torch::kInt64));
      counts[c].narrow(0, 0, length).fill_(1);
    }
    KvCache context = images;
    model_.AppendPrompt(context, *ids);
    const torch::Tensor log_probs =
        model_.ResponseLogProbs(context.Repeat(choices), responses.repeat({count, 1}), 1) *
        counts.repeat({count, 1});
    sum += torch::softmax(log_probs.sum(1).view({count, choices}), 1).select(1, right);
  }
  sum /= batch.prompt.questions_size();
  std::vector<Score> scores(batch.images.size());
  for (size_t i = 0; i < scores.size(); ++i) scores[i].value = sum[static_cast<int64_t>(i)].item<float>();
  return scores;
}

}  // namespace lvrpo
