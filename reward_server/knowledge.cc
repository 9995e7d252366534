#include "reward_server/knowledge.h"

#include "absl/strings/str_cat.h"
#include "model/autoencoder.h"

namespace lvrpo {

KnowledgeScorer::KnowledgeScorer(Bagel model, std::unique_ptr<Tokenizer> tokenizer)
    : model_(std::move(model)), tokenizer_(std::move(tokenizer)), digest_(ComputeDigest()) {}

std::string KnowledgeScorer::ComputeDigest() const {
  return absl::StrCat("knowledge/2/", DigestOf(model_.tensors()));
}

torch::Tensor KnowledgeScorer::ChoiceLogProbs(const KvCache& context, const Choices& choices) const {
  const auto count = static_cast<int64_t>(choices.ids.size()), images = context.batch();
  if (choices.longest == 1) {  // one token each: one step answers for all choices
    KvCache asked = context;
    const torch::Tensor hidden =
        model_.AppendTokens(asked, torch::full({images, 1}, int64_t{tokenizer_->bos()}, torch::kInt64));
    torch::Tensor tokens = torch::empty({count}, torch::kInt64);
    for (int64_t c = 0; c < count; ++c) tokens[c] = choices.ids[static_cast<size_t>(c)][0];
    return model_.Logits(hidden.select(1, 0))
        .index_select(1, tokens);  // a constant apart, which softmax ignores
  }
  // All choices of all images in one batch, image by image; each with its end, so that one that begins like
  // another is not favoured.
  const auto length = static_cast<int64_t>(choices.longest) + 1;
  torch::Tensor responses = torch::full({count, length}, int64_t{tokenizer_->eos()}, torch::kInt64);
  torch::Tensor counts = torch::zeros({count, length});
  for (int64_t c = 0; c < count; ++c) {
    const std::vector<int64_t>& ids = choices.ids[static_cast<size_t>(c)];
    const auto tokens = static_cast<int64_t>(ids.size());
    responses[c].narrow(0, 0, tokens).copy_(torch::tensor(ids, torch::kInt64));
    counts[c].narrow(0, 0, tokens + 1).fill_(1);
  }
  const torch::Tensor log_probs =
      model_.ResponseLogProbs(context.Repeat(count), responses.repeat({images, 1}), 1) *
      counts.repeat({images, 1});
  return log_probs.sum(1).view({images, count});
}

absl::StatusOr<std::vector<Score>> KnowledgeScorer::ScoreBatch(const ScoringBatch& batch) {
  torch::NoGradGuard no_grad;
  const auto count = static_cast<int64_t>(batch.images.size());
  KvCache images;  // each image once; every question goes on from here
  model_.AppendImage(images, FromRgbImages(batch.images));
  torch::Tensor sum = torch::zeros({count});
  for (const v1::Question& question : batch.prompt.questions()) {
    const auto bad = [&](const absl::Status& status) {
      return absl::InvalidArgumentError(absl::StrCat("prompt ", batch.prompt.id(), ", question \"",
                                                     question.text(), "\": ", status.message()));
    };
    const absl::StatusOr<std::vector<int32_t>> ids = tokenizer_->Encode(question.text());
    if (!ids.ok()) return bad(ids.status());
    const absl::StatusOr<Choices> choices = ReadChoices(*tokenizer_, question);
    if (!choices.ok()) return bad(choices.status());
    KvCache context = images;
    model_.AppendPrompt(context, *ids);
    sum += torch::softmax(ChoiceLogProbs(context, *choices), 1).select(1, choices->right);
  }
  sum /= batch.prompt.questions_size();
  std::vector<Score> scores(batch.images.size());
  for (size_t i = 0; i < scores.size(); ++i) scores[i].value = sum[static_cast<int64_t>(i)].item<float>();
  return scores;
}

}  // namespace lvrpo
