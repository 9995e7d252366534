#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/image/image.h"
#include "proto/lvrpo/v1/prompt.pb.h"
#include "proto/lvrpo/v1/reward.pb.h"
#include "verifiers/images/detections.h"

namespace lvrpo {

// All samples of one prompt, decoded and checked.
struct ScoringGroup {
  v1::PromptRecord prompt;
  std::vector<RgbImage> images;    // IMAGE task: one a sample
  std::vector<std::string> texts;  // TEXT task: one a sample
  // The caller's detections, one entry per image; empty: none.
  std::vector<std::optional<std::vector<Detection>>> detections = {};
  bool want_evidence = false;

  size_t size() const { return prompt.task() == v1::TASK_KIND_TEXT ? texts.size() : images.size(); }
};

// One scorer's result for one sample.
struct SampleScore {
  float value = 0;
  std::string detail;                  // evidence in words; may be empty
  std::vector<v1::GroundingMap> maps;  // only when evidence was asked for
  // Guard values (docs/rewards.md), by name: not part of the reward.
  std::map<std::string, float> guards = {};
};

// One frozen reward component. Implementations are deterministic: the same group gives the same scores.
// Called by one thread at a time.
class Scorer {
 public:
  virtual ~Scorer() = default;

  // Component name as it appears in ComponentScore.name and in metrics.
  virtual std::string name() const = 0;
  // Identifies the weights and settings that determine the scores.
  virtual std::string digest() const = 0;
  // Whether this component scores such prompts.
  virtual bool AppliesTo(const v1::PromptRecord& prompt) const = 0;
  // One score per sample, in order. InvalidArgument: no scorer can score the prompt or a sample; Unavailable,
  // ResourceExhausted and DeadlineExceeded: transient, another server or a later call may succeed; any other
  // error: this scorer failed.
  virtual absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) = 0;
  // Whether several prompts in one call are cheaper than one call each; otherwise each call has one.
  virtual bool TakesSeveral() const { return false; }
  // The same for several prompts in one call; one answer per group, in order.
  virtual std::vector<absl::StatusOr<std::vector<SampleScore>>> ScoreGroups(
      std::span<const ScoringGroup* const> groups) {
    std::vector<absl::StatusOr<std::vector<SampleScore>>> answers;
    for (const ScoringGroup* group : groups) answers.push_back(ScoreGroup(*group));
    return answers;
  }
  // digest() recomputed from the weights in memory; differs from digest() when they have changed. May be
  // called while the scorer works.
  virtual std::string ComputeDigest() const { return digest(); }
};

}  // namespace lvrpo
