#include "verifiers/rules/scorable.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

v1::PromptRecord Prompt(const std::string& fields) {
  v1::PromptRecord prompt;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString("id: 'a' " + fields, &prompt)) << fields;
  if (prompt.text().empty()) prompt.set_text("a red circle");
  return prompt;
}

v1::RewardConfig Reward(const std::string& fields) {
  v1::RewardConfig reward;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(fields, &reward)) << fields;
  return reward;
}

constexpr char kImage[] = "task: TASK_KIND_IMAGE ";
constexpr char kText[] = "task: TASK_KIND_TEXT source_image: 'a.png' ";
constexpr char kAsks[] = "questions {text: '?' answer: 'yes' choices: 'yes' choices: 'no'} ";
constexpr char kConstraint[] = "constraints {objects {shape: 'circle' count: 1}} ";
constexpr char kDetected[] = "rules {detected_objects {include {class_name: 'cup' count: 1}}} ";

TEST(CheckScorable, SomeComponentMustApplyAndBeAbleToJudge) {
  const struct {
    std::string prompt, reward, says;  // "": it can be scored
  } cases[] = {
      {kImage, "grounding_weight: 1", ""},
      {kImage, "instruction_weight: 1", "no component with a weight applies to it: give it constraints"},
      {std::string(kImage) + kConstraint, "instruction_weight: 1", ""},
      {std::string(kImage) + "rules {image_size {width: 64}}", "instruction_weight: 1", ""},
      {std::string(kImage) + kAsks, "instruction_weight: 1", "no component with a weight"},
      {std::string(kImage) + kAsks, "knowledge_weight: 0.1", ""},
      {kImage, "knowledge_weight: 1", "no component with a weight"},
      {std::string(kImage) + "answer: 'x'", "instruction_weight: 1", "no component with a weight"},
      {kImage, "", "no component with a weight"},
      {kImage, "external {name: 'brand' weight: 1 task: 'image'}", ""},
      {kImage, "external {name: 'brand' weight: 1 task: 'both'}", ""},
      {kImage, "external {name: 'brand' weight: 1 task: 'text'}", "no component with a weight"},
      {kImage, "external {name: 'brand' weight: 0 task: 'image'}", "no component with a weight"},
      {kImage, "logged: 'grounding'", "no component with a weight"},
      {std::string(kText) + "answer: 'x'", "grounding_weight: 1", ""},
      {std::string(kText) + "rules {regex {pattern: 'x'}}", "instruction_weight: 1", ""},
      {std::string(kText) + "rules {regex {pattern: 'x'}}", "grounding_weight: 1",
       "no component with a weight applies to it: give it an answer, or rules"},
      {std::string(kText) + "answer: 'x' rules {regex {pattern: 'x'}}", "grounding_weight: 1", ""},
      {kText, "external {name: 'brand' weight: 1 task: 'text'}", ""},
      // Rules that need a detector.
      {std::string(kImage) + kDetected, "instruction_weight: 1", "there is no detector: set reward.detector"},
      {std::string(kImage) + kDetected, "instruction_weight: 1 grounding_weight: 1", "there is no detector"},
      {std::string(kImage) + kDetected, "instruction_weight: 1 detector: 'http://detector:80'", ""},
      {std::string(kImage) + kDetected, "grounding_weight: 1", ""},
      // Constraints that cannot be searched.
      {std::string(kImage) + "constraints {objects {count: 8}}", "instruction_weight: 1", ""},
      {std::string(kImage) + "constraints {objects {count: 9}}", "instruction_weight: 1",
       "ask for 9 objects; at most 8"},
      {std::string(kImage) + "constraints {objects {count: 4} objects {count: 5}}", "instruction_weight: 1",
       "ask for 9 objects"},
      {std::string(kImage) + "constraints {objects {count: 9}}", "grounding_weight: 1", ""},
  };
  for (const auto& test : cases) {
    const absl::Status status = CheckScorable(Prompt(test.prompt), Reward(test.reward));
    SCOPED_TRACE(test.prompt + " | " + test.reward);
    if (test.says.empty()) {
      EXPECT_TRUE(status.ok()) << status;
      continue;
    }
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("prompt 'a' can never be scored: "));
    EXPECT_THAT(std::string(status.message()), HasSubstr(test.says));
  }
}

}  // namespace
}  // namespace lvrpo
