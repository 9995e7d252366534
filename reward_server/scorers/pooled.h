#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reward_server/scorers/referee_view.h"
#include "reward_server/scoring/scorer.h"

namespace lvrpo {

// "pooled": a referee's probability that the whole image matches the whole prompt, sigmoid(scale cos + bias)
// of the two pooled vectors, as in SigLIP's training. It is weak at binding colours to objects, so it is
// not a reward here but an independent measure of what the rewards do to images: logged and never trained on.
class PooledScorer : public Scorer {
 public:
  PooledScorer(RefereeView referee, std::unique_ptr<Tokenizer> tokenizer)
      : referee_(std::move(referee)),
        texts_(referee_.model(), std::move(tokenizer)),
        digest_(ComputeDigest()) {}

  std::string name() const override { return "pooled"; }
  std::string digest() const override { return digest_; }
  std::string ComputeDigest() const override;
  bool AppliesTo(const v1::PromptRecord& prompt) const override {
    return prompt.task() == v1::TASK_KIND_IMAGE && !prompt.text().empty();
  }
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override;

 private:
  const RefereeView referee_;
  TextVectors texts_;
  const std::string digest_;
};

}  // namespace lvrpo
