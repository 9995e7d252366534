#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "data/tokenizer.h"
#include "model/siglip.h"
#include "reward_server/objects.h"
#include "reward_server/scorer.h"

namespace lvrpo {

// The value of an assignment of phrases to regions: each region serves at most one phrase.
// `similarity`[phrase][region] in [0, 1]. Sum of the best assignment / max(phrases, regions): a phrase
// without region and a region without phrase cost the same.
double CountAwareScore(const std::vector<std::vector<double>>& similarity, size_t regions);

// "grounding", R_sem (paper, equation 12): the referee's pooling head on every patch alone, against each key
// phrase.
//   max_patch    the mean over phrases of the largest similarity among the patches: the paper's plain form
//   count_aware  phrases (repeated by count) are assigned one to one to the separate regions of the image,
//   each region
//                standing for its best patch
// Similarity is the referee's calibrated probability, sigmoid(scale cos + bias). The phrases are the
// record's, or, when it has none, those that ExtractKeyPhrases finds in the prompt, the first eight of them.
// Images of another size than the referee's are resized as its processor does, for its eyes only.
class GroundingScorer : public Scorer {
 public:
  enum class Form { kMaxPatch, kCountAware };
  GroundingScorer(Siglip referee, std::unique_ptr<Tokenizer> tokenizer, Form form);

  std::string name() const override { return "grounding"; }
  std::string digest() const override { return digest_; }
  std::string ComputeDigest() const override;
  bool AppliesTo(const v1::PromptRecord& prompt) const override {
    return prompt.task() == v1::TASK_KIND_IMAGE;
  }
  absl::StatusOr<std::vector<Score>> ScoreBatch(const ScoringBatch& batch) override;
  std::vector<absl::StatusOr<std::vector<Score>>> ScoreBatches(
      std::span<const ScoringBatch* const> batches) override;

 private:
  // What is looked for, and in what.
  struct Wanted {
    std::vector<std::string> phrases;
    torch::Tensor vectors;  // [K, P]
    torch::Tensor pixels;   // [B, 3, S, S]
  };
  absl::StatusOr<Wanted> Read(const ScoringBatch& batch);
  // `dense`: unit vectors of the images' patches, [B, N, P].
  std::vector<Score> ScoreImages(const ScoringBatch& batch, const Wanted& wanted,
                                 const torch::Tensor& dense) const;
  // Unit text vector of a phrase, [P].
  absl::StatusOr<torch::Tensor> Embed(const std::string& phrase);

  const Siglip referee_;
  const std::unique_ptr<Tokenizer> tokenizer_;
  const Form form_;
  const ObjectFinder finder_;
  std::string digest_;
  absl::flat_hash_map<std::string, torch::Tensor> cache_;
};

}  // namespace lvrpo
