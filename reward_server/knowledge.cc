#include "reward_server/knowledge.h"

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
  const torch::Tensor pixels = FromRgbImages(batch.images);
  torch::Tensor sum = torch::zeros({count});
  for (const v1::Question& question : batch.prompt.questions()) {
    const auto bad = [&](const std::string& what) {
      return absl::InvalidArgumentError(absl::StrCat("prompt ", batch.prompt.id(), ", question \"", question.text(), "\": ", what));
    };
    absl::StatusOr<std::vector<int32_t>> ids = tokenizer_->Encode(question.text());
    if (!ids.ok()) return bad(std::string(ids.status().message()));
    const KvCache context = model_.PrefillQuestion(pixels, *ids);
    std::vector<torch::Tensor> log_probs;  // per choice, [B]
    int64_t right = -1;
    for (int c = 0; c < question.choices_size(); ++c) {
      absl::StatusOr<std::vector<int32_t>> answer = tokenizer_->Encode(question.choices(c));
      if (!answer.ok()) return bad(std::string(answer.status().message()));
      std::vector<int64_t> response(answer->begin(), answer->end());
      response.push_back(tokenizer_->eos());
      const torch::Tensor responses =
          torch::tensor(response, torch::kInt64).unsqueeze(0).expand({count, static_cast<int64_t>(response.size())});
      log_probs.push_back(model_.ResponseLogProbs(context, responses.contiguous(), 1).sum(1));
      if (question.choices(c) == question.answer()) right = c;
    }
    if (right < 0) return bad("its answer is not among its choices");
    sum += torch::softmax(torch::stack(log_probs, 1), 1).select(1, right);
  }
  sum /= batch.prompt.questions_size();
  std::vector<Score> scores(batch.images.size());
  for (size_t i = 0; i < scores.size(); ++i) scores[i].value = sum[static_cast<int64_t>(i)].item<float>();
  return scores;
}

}  // namespace lvrpo
