#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/prompt.pb.h"
#include "reward_server/scoring/detector.h"
#include "reward_server/scoring/scorer.h"
#include "verifiers/images/ocr.h"
#include "verifiers/verdict.h"

namespace lvrpo {

// Judges the rules that a prompt record lists (docs/rules.md) on every sample of a group. Holds what rules
// about images need: a detector, and a reader of written text, which is loaded when the first rule asks for
// it. Called by one thread at a time.
class RuleJudge {
 public:
  // `detector` may be null: rules about detected objects fail then for images that bring no detections of
  // their own, and say so.
  explicit RuleJudge(std::unique_ptr<ObjectDetector> detector = nullptr) : detector_(std::move(detector)) {}

  // [sample][rule]. InvalidArgument: the prompt's rules cannot be judged by anyone; FailedPrecondition: not
  // by this server as it is set up.
  absl::StatusOr<std::vector<std::vector<Verdict>>> Judge(const ScoringGroup& group);

  std::string digest() const { return detector_ == nullptr ? "" : detector_->digest(); }

 private:
  absl::StatusOr<Verdict> JudgeImage(const v1::Rule& rule, const RgbImage& image);
  // Verdicts of one rule on all images.
  absl::StatusOr<std::vector<Verdict>> JudgeObjects(const v1::DetectedObjectsRule& rule,
                                                    const ScoringGroup& group);
  // What the caller has found in each image, and the detector in the others.
  absl::StatusOr<std::vector<std::vector<Detection>>> Detections(const ScoringGroup& group,
                                                                 const std::vector<std::string>& classes);

  const std::unique_ptr<ObjectDetector> detector_;
  LazyTextReader reader_;
};

}  // namespace lvrpo
