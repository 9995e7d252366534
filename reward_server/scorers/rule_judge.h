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

// Judges the rules that a prompt record lists (docs/rules.md) on every sample of a group. Owns what rules
// about images need: a detector, and a text recogniser, which is loaded for the first rule that needs it.
// Called by one thread at a time.
class RuleJudge {
 public:
  // `detector` may be null: rules about detected objects then fail, with a message, for images that come
  // without detections.
  explicit RuleJudge(std::unique_ptr<ObjectDetector> detector = nullptr) : detector_(std::move(detector)) {}

  // [sample][rule]. InvalidArgument: no server can judge the prompt's rules; FailedPrecondition: this
  // server's configuration cannot.
  absl::StatusOr<std::vector<std::vector<Verdict>>> Judge(const ScoringGroup& group);

  std::string digest() const { return detector_ == nullptr ? "" : detector_->digest(); }

 private:
  absl::StatusOr<Verdict> JudgeImage(const v1::Rule& rule, const RgbImage& image);
  // Verdicts of one rule on all images.
  absl::StatusOr<std::vector<Verdict>> JudgeObjects(const v1::DetectedObjectsRule& rule,
                                                    const ScoringGroup& group);
  // The caller's detections of each image, and the detector's for the others.
  absl::StatusOr<std::vector<std::vector<Detection>>> Detections(const ScoringGroup& group,
                                                                 const std::vector<std::string>& classes);

  const std::unique_ptr<ObjectDetector> detector_;
  LazyTextReader reader_;
};

}  // namespace lvrpo
