#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reward_server/scoring/scorer.h"
#include "verifiers/images/ocr.h"

// Signs of reward hacking, measured on every image and not part of the reward (docs/rewards.md).
namespace lvrpo {

// "artefacts": the share of an image's fine detail that is a regular grid (verifiers/images/artefacts.h).
class ArtefactScorer : public Scorer {
 public:
  std::string name() const override { return "artefacts"; }
  std::string digest() const override { return "artefacts/1"; }
  bool AppliesTo(const v1::PromptRecord& prompt) const override {
    return prompt.task() == v1::TASK_KIND_IMAGE;
  }
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override;
};

// "written_text": how much is written in an image whose prompt asks for no text (a rule written_text):
// letters and digits in words of at least two of them that are read with confidence, by ten, at most 1. A
// policy may write "a red bench" for a scorer that reads.
class WrittenTextScorer : public Scorer {
 public:
  std::string name() const override { return "written_text"; }
  std::string digest() const override { return "written_text/1"; }
  bool AppliesTo(const v1::PromptRecord& prompt) const override;
  // FailedPrecondition when the reader's data is missing.
  absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) override;

 private:
  LazyTextReader reader_;
};

// How much of the reward depends on one patch: the largest loss in the sum of the phrases' best similarities
// ([phrase][patch]) when one patch is masked, relative to that sum. 1: it all depends on one patch; 1 /
// phrases and less is usual. 0 when nothing is found.
double OnePatchShare(const std::vector<std::vector<float>>& similarity);

}  // namespace lvrpo
