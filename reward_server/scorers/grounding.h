#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/config/choices.h"
#include "data/tokenizer/tokenizer.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "reward_server/scorers/grounding_map.h"
#include "reward_server/scorers/referee_view.h"
#include "reward_server/scoring/scorer.h"

namespace lvrpo {

struct GroundingOptions {
  using Form = GroundingForm;
  using Regions = GroundingRegions;
  using Dense = GroundingDense;
  using Calibration = GroundingCalibration;
  Form form = Form::kCountAware;
  Regions regions = Regions::kSegments;
  Dense dense = Dense::kMapHead;
  Calibration calibration = Calibration::kCheckpoint;
  int top_k = 3;  // patches that kTopKMean takes
};
// The settings of a run's configuration, which has been validated.
GroundingOptions ToGroundingOptions(const v1::RewardConfig& config);

// "grounding", R_sem (paper, equation 12): similarity of each key phrase to every patch, by default through
// the referee's pooling head per patch (kMapHead).
//   max_patch    the mean over phrases of the largest similarity among the patches: the paper's plain form
//   top_k_mean   the same with the mean of the k largest
//   count_aware  phrases (repeated by count) are assigned one to one to the separate regions of the image,
//                each region standing for its best patch, or (kBox) for the pooling head on all its patches
// Similarity is the referee's calibrated probability, sigmoid(scale cos + bias), or the cosine. The phrases
// are the record's, or, when it has none, those that ExtractKeyPhrases finds in the prompt, the first eight
// of them. Guard of each score: "one_patch" (reward_server/scorers/guard_scorers.h).
class GroundingScorer : public Scorer {
 public:
  // InvalidArgument when the options need a pooling head that the referee lacks, or, for kTokens, when its
  // tokens and text vectors differ in width.
  static absl::StatusOr<std::unique_ptr<GroundingScorer>> Create(RefereeView referee,
                                                                 std::unique_ptr<Tokenizer> tokenizer,
                                                                 const GroundingOptions& options);

  std::string name() const override { return "grounding"; }
  std::string digest() const override { return digest_; }
  std::string ComputeDigest() const override;
  bool AppliesTo(const v1::PromptRecord& prompt) const override {
    return prompt.task() == v1::TASK_KIND_IMAGE;
  }
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override;
  bool TakesSeveral() const override { return true; }
  std::vector<absl::StatusOr<std::vector<SampleScore>>> ScoreGroups(
      std::span<const ScoringGroup* const> groups) override;

 private:
  GroundingScorer(RefereeView referee, std::unique_ptr<Tokenizer> tokenizer, const GroundingOptions& options);

  // The phrases to ground, and the images.
  struct Wanted {
    std::vector<std::string> phrases;
    torch::Tensor vectors;  // [K, P]
    RefereeInput input;     // of all images of the prompt
  };
  absl::StatusOr<Wanted> Read(const ScoringGroup& group);
  // tokens [N, D] and dense unit vectors [N, P] of one image's patches.
  SampleScore ScoreImage(const RgbImage& image, const Wanted& wanted, const ImageGrid& grid,
                         const torch::Tensor& tokens, const torch::Tensor& dense, bool want_evidence) const;
  // [phrase][region] by the pooling head on each region's patches together.
  std::vector<std::vector<double>> BoxSimilarity(const torch::Tensor& tokens, const torch::Tensor& vectors,
                                                 const std::vector<Region>& regions) const;
  torch::Tensor Similarity(const torch::Tensor& vectors, const torch::Tensor& phrases) const;

  const RefereeView referee_;
  TextVectors texts_;
  const GroundingOptions options_;
  const ObjectFinder finder_;
  const std::string digest_;
};

}  // namespace lvrpo
