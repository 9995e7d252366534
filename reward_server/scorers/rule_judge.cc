#include "reward_server/scorers/rule_judge.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "verifiers/images/crop_color.h"
#include "verifiers/images/detected_objects.h"
#include "verifiers/images/written_text.h"
#include "verifiers/rules/image_rules.h"
#include "verifiers/rules/rules.h"

namespace lvrpo {
namespace {

std::vector<std::string> ClassesOf(const v1::DetectedObjectsRule& rule) {
  std::set<std::string> classes;
  for (const auto& include : rule.include()) classes.insert(include.class_name());
  for (const auto& exclude : rule.exclude()) classes.insert(exclude.class_name());
  return {classes.begin(), classes.end()};
}

bool AsksForColors(const v1::DetectedObjectsRule& rule) {
  for (const auto& include : rule.include()) {
    if (!include.color().empty()) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<Verdict> RuleJudge::JudgeImage(const v1::Rule& rule, const RgbImage& image) {
  if (rule.has_image_size()) return VerifyImageSize(rule.image_size(), image.width, image.height);
  if (rule.has_aspect_ratio()) return VerifyAspectRatio(rule.aspect_ratio(), image.width, image.height);
  const absl::StatusOr<ReadText> read = reader_.Read(image);
  if (!read.ok()) return read.status();
  return VerifyWrittenText(rule.written_text(), read->text);
}

absl::StatusOr<std::vector<std::vector<Detection>>> RuleJudge::Detections(
    const ScoringGroup& group, const std::vector<std::string>& classes) {
  std::vector<std::vector<Detection>> found(group.images.size());
  std::vector<RgbImage> unknown;
  std::vector<size_t> places;  // of those
  for (size_t i = 0; i < found.size(); ++i) {
    if (!group.detections.empty() && group.detections[i].has_value()) {
      found[i] = *group.detections[i];
    } else {
      unknown.push_back(group.images[i]);
      places.push_back(i);
    }
  }
  if (unknown.empty()) return found;
  if (detector_ == nullptr) {
    return absl::FailedPreconditionError(
        "a rule about detected objects needs a detector, and this server has none: set reward.detector, or "
        "send detections with the image");
  }
  absl::StatusOr<std::vector<std::vector<Detection>>> seen = detector_->Detect(unknown, classes);
  if (!seen.ok()) return seen.status();
  if (seen->size() != unknown.size()) {
    return absl::InternalError(
        absl::StrCat("the detector answered for ", seen->size(), " of ", unknown.size(), " images"));
  }
  for (size_t k = 0; k < places.size(); ++k) found[places[k]] = std::move((*seen)[k]);
  return found;
}

absl::StatusOr<std::vector<Verdict>> RuleJudge::JudgeObjects(const v1::DetectedObjectsRule& rule,
                                                             const ScoringGroup& group) {
  absl::StatusOr<std::vector<std::vector<Detection>>> found = Detections(group, ClassesOf(rule));
  if (!found.ok()) return found.status();
  std::vector<Verdict> verdicts;
  for (size_t i = 0; i < group.images.size(); ++i) {
    if (AsksForColors(rule)) AddCropColors(group.images[i], &(*found)[i]);
    const bool given = !group.detections.empty() && group.detections[i].has_value();
    verdicts.push_back(VerifyDetectedObjects(
        rule, (*found)[i], given || detector_ == nullptr ? DetectionThresholds{} : detector_->thresholds()));
  }
  return verdicts;
}

absl::StatusOr<std::vector<std::vector<Verdict>>> RuleJudge::Judge(const ScoringGroup& group) {
  if (absl::Status status = CheckPromptRules(group.prompt); !status.ok()) return status;
  std::vector<std::vector<Verdict>> verdicts(group.size());
  for (const v1::Rule& rule : group.prompt.rules()) {
    if (rule.has_detected_objects()) {
      absl::StatusOr<std::vector<Verdict>> judged = JudgeObjects(rule.detected_objects(), group);
      if (!judged.ok()) return judged.status();
      for (size_t i = 0; i < verdicts.size(); ++i) verdicts[i].push_back(std::move((*judged)[i]));
      continue;
    }
    for (size_t i = 0; i < verdicts.size(); ++i) {
      absl::StatusOr<Verdict> verdict = group.prompt.task() == v1::TASK_KIND_TEXT
                                            ? VerifyText(rule, group.texts[i])
                                            : JudgeImage(rule, group.images[i]);
      if (!verdict.ok()) return verdict.status();
      verdicts[i].push_back(*std::move(verdict));
    }
  }
  return verdicts;
}

}  // namespace lvrpo
