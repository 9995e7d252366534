#include "reward_server/scorers/pooled.h"

#include "absl/strings/str_cat.h"

namespace lvrpo {

std::string PooledScorer::ComputeDigest() const { return absl::StrCat("pooled/1/", referee_.Digest()); }

absl::StatusOr<std::vector<SampleScore>> PooledScorer::ScoreGroup(const ScoringGroup& group) {
  const torch::NoGradGuard no_grad;
  const absl::StatusOr<torch::Tensor> text = texts_.Of(group.prompt.text());
  if (!text.ok()) return absl::InvalidArgumentError(absl::StrCat("prompt ", text.status().message()));
  const absl::StatusOr<RefereeInput> input = referee_.Read(group.images);
  if (!input.ok()) return input.status();
  const torch::Tensor cosine = torch::matmul(referee_.Pooled(*input), *text);  // [B]
  const torch::Tensor probability =
      torch::sigmoid(cosine * referee_.model().logit_scale() + referee_.model().logit_bias()).cpu();
  std::vector<SampleScore> scores(group.images.size());
  for (size_t i = 0; i < scores.size(); ++i)
    scores[i].value = probability[static_cast<int64_t>(i)].item<float>();
  return scores;
}

}  // namespace lvrpo
