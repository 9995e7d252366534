#include "verifiers/rules/rules.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "data/unicode/unicode.h"
#include "verifiers/images/detected_objects.h"
#include "verifiers/images/written_text.h"
#include "verifiers/rules/answer_rules.h"
#include "verifiers/rules/json_rule.h"
#include "verifiers/rules/text_rules.h"

namespace lvrpo {
namespace {

constexpr int kMostPixels = 1 << 16;  // per side
constexpr double kMostRatio = 100;

absl::Status NoRule() {
  return absl::InvalidArgumentError("the rule is empty; give one of the kinds of docs/rules.md");
}

absl::Status CheckImageSizeRule(const v1::ImageSizeRule& rule) {
  const auto within = [](int side) { return side >= 0 && side <= kMostPixels; };
  if (within(rule.width()) && within(rule.height()) && rule.width() + rule.height() > 0)
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("image_size asks for ", rule.width(), "x", rule.height(),
                                                 "; give width, height or both, 0 to ", kMostPixels,
                                                 " pixels (0 = any)"));
}

absl::Status CheckAspectRatioRule(const v1::AspectRatioRule& rule) {
  if (!(rule.ratio() >= 1 / kMostRatio && rule.ratio() <= kMostRatio)) {
    return absl::InvalidArgumentError(absl::StrCat("aspect_ratio.ratio is ", rule.ratio(),
                                                   "; give width / height, ", 1 / kMostRatio, " to ",
                                                   kMostRatio));
  }
  if (!(rule.tolerance() >= 0 && rule.tolerance() < 1)) {
    return absl::InvalidArgumentError(absl::StrCat("aspect_ratio.tolerance is ", rule.tolerance(),
                                                   "; it is relative, at least 0 and below 1"));
  }
  return absl::OkStatus();
}

absl::Status AboutImages(absl::string_view kind) {
  return absl::InvalidArgumentError(
      absl::StrCat("the rule ", kind, " is about images and cannot judge a text"));
}

}  // namespace

absl::Status CheckRule(const v1::Rule& rule) {
  switch (rule.rule_case()) {
    case v1::Rule::kImageSize:
      return CheckImageSizeRule(rule.image_size());
    case v1::Rule::kAspectRatio:
      return CheckAspectRatioRule(rule.aspect_ratio());
    case v1::Rule::kDetectedObjects:
      return CheckDetectedObjectsRule(rule.detected_objects());
    case v1::Rule::kWrittenText:
      return CheckWrittenTextRule(rule.written_text());
    case v1::Rule::kRegex:
      return CheckRegexRule(rule.regex());
    case v1::Rule::kJsonSchema:
      return CheckJsonSchemaRule(rule.json_schema());
    case v1::Rule::kAnswerTag:
      return CheckAnswerTagRule(rule.answer_tag());
    case v1::Rule::kLength:
      return CheckLengthRule(rule.length());
    case v1::Rule::kScript:
      return CheckScriptRule(rule.script());
    case v1::Rule::kExactAnswer:
      return CheckExactAnswerRule(rule.exact_answer());
    case v1::Rule::kNumericAnswer:
      return CheckNumericAnswerRule(rule.numeric_answer());
    case v1::Rule::kChoiceAnswer:
      return CheckChoiceAnswerRule(rule.choice_answer());
    case v1::Rule::RULE_NOT_SET:
      return NoRule();
  }
  return NoRule();
}

absl::Status CheckPromptRules(const v1::PromptRecord& prompt) {
  constexpr int kMostRules = 64;
  const auto refuse = [&](int place, absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("prompt '", prompt.id(), "': rules[", place, "]: ", what));
  };
  if (prompt.rules_size() > kMostRules)
    return refuse(kMostRules, absl::StrCat("at most ", kMostRules, " rules are taken"));
  for (int i = 0; i < prompt.rules_size(); ++i) {
    const v1::Rule& rule = prompt.rules(i);
    if (absl::Status status = CheckRule(rule); !status.ok()) return refuse(i, status.message());
    const bool about_images = rule.has_image_size() || rule.has_aspect_ratio() ||
                              rule.has_detected_objects() || rule.has_written_text();
    if (about_images != (prompt.task() == v1::TASK_KIND_IMAGE)) {
      return refuse(i, about_images ? "it is about images, and the prompt asks for a text"
                                    : "it is about texts, and the prompt asks for an image");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Verdict> VerifyText(const v1::Rule& rule, absl::string_view output) {
  const std::string text = unicode::RepairUtf8(output);
  switch (rule.rule_case()) {
    case v1::Rule::kImageSize:
      return AboutImages("image_size");
    case v1::Rule::kAspectRatio:
      return AboutImages("aspect_ratio");
    case v1::Rule::kDetectedObjects:
      return AboutImages("detected_objects");
    case v1::Rule::kWrittenText:
      return AboutImages("written_text");
    case v1::Rule::kRegex:
      return VerifyRegex(rule.regex(), text);
    case v1::Rule::kJsonSchema:
      return VerifyJsonSchema(rule.json_schema(), text);
    case v1::Rule::kAnswerTag:
      return VerifyAnswerTag(rule.answer_tag(), text);
    case v1::Rule::kLength:
      return VerifyLength(rule.length(), text);
    case v1::Rule::kScript:
      return VerifyScript(rule.script(), text);
    case v1::Rule::kExactAnswer:
      return VerifyExactAnswer(rule.exact_answer(), text);
    case v1::Rule::kNumericAnswer:
      return VerifyNumericAnswer(rule.numeric_answer(), text);
    case v1::Rule::kChoiceAnswer:
      return VerifyChoiceAnswer(rule.choice_answer(), text);
    case v1::Rule::RULE_NOT_SET:
      return NoRule();
  }
  return NoRule();
}

}  // namespace lvrpo
