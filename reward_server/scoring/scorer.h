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
  // What the caller has found in each image; empty: in none of them.
  std::vector<std::optional<std::vector<Detection>>> detections = {};
  bool want_evidence = false;

  size_t size() const { return prompt.task() == v1::TASK_KIND_TEXT ? texts.size() : images.size(); }
};

// What one scorer says about one sample.
struct SampleScore {
  float value = 0;
  std::string detail;                  // evidence in words; may be empty
  std::vector<v1::GroundingMap> maps;  // only when evidence was asked for
  // Figures about how the score came about, by guard (docs/rewards.md): no part of the reward.
  std::map<std::string, float> guards = {};
};

// One frozen reward component. Implementations draw no randomness: the same group gives the same scores.
// Called by one thread at a time.
class Scorer {
 public:
  virtual ~Scorer() = default;

  // Component name as it appears in ComponentScore.name and in metrics.
  virtual std::string name() const = 0;
  // Names the weights and settings behind the scores.
  virtual std::string digest() const = 0;
  // Whether this component has anything to say about such a prompt.
  virtual bool AppliesTo(const v1::PromptRecord& prompt) const = 0;
  // One score per sample, in order. InvalidArgument: the prompt or a sample cannot be scored by anyone;
  // Unavailable, ResourceExhausted and DeadlineExceeded: not now, but perhaps later or elsewhere; any other
  // error: this scorer failed.
  virtual absl::StatusOr<std::vector<SampleScore>> ScoreGroup(const ScoringGroup& group) = 0;
  // Whether several prompts at once cost less than one after the other; otherwise they come one at a time.
  virtual bool TakesSeveral() const { return false; }
  // The same for several prompts at once; one answer a group, in order.
  virtual std::vector<absl::StatusOr<std::vector<SampleScore>>> ScoreGroups(
      std::span<const ScoringGroup* const> groups) {
    std::vector<absl::StatusOr<std::vector<SampleScore>>> answers;
    for (const ScoringGroup* group : groups) answers.push_back(ScoreGroup(*group));
    return answers;
  }
  // digest() computed anew from the weights in memory; differs from it when they have changed. May be called
  // while the scorer works.
  virtual std::string ComputeDigest() const { return digest(); }
};

}  // namespace lvrpo
