#include "verifiers/rules/prompt_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kCircle[] =
    R"({"id":"a","task":"TASK_KIND_IMAGE","text":"a circle","constraints":{"objects":[{"count":1}]}})";

class PromptFiles : public ::testing::Test {
 protected:
  PromptFiles() { config_.mutable_reward()->set_instruction_weight(1); }
  std::string Write(const std::string& name, const std::string& text) const {
    return folder_.Write(name, text);
  }

  const TemporaryFolder folder_;
  v1::RunConfig config_;
};

TEST_F(PromptFiles, EveryBadLineOfEveryFileIsNamed) {
  v1::DataConfig& data = *config_.mutable_data();
  data.add_image_prompts(Write("good.jsonl", absl::StrCat(kCircle, "\n")));
  EXPECT_TRUE(CheckPromptFiles(config_).ok()) << CheckPromptFiles(config_);
  data.add_image_prompts(Write("images.jsonl", absl::StrCat(kCircle, "\n{\"id\": \"b\"\n", R"({"id":"c",)",
                                                            R"("task":"TASK_KIND_IMAGE","text":"x"})")));
  data.add_text_prompts(
      Write("texts.jsonl",
            R"({"id":"a","task":"TASK_KIND_TEXT","text":"?","source_image":"none.png","answer":"x"})"));
  data.set_heldout_image_prompts(
      Write("heldout.jsonl",
            R"({"id":"q","task":"TASK_KIND_IMAGE","text":"x","questions":[{"text":"?","answer":"maybe",)"
            R"("choices":["yes","no"]}]})"));
  data.add_image_prompts(folder_ / "none.jsonl");
  const absl::Status status = CheckPromptFiles(config_);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("images.jsonl:2: not a prompt record"));
  EXPECT_THAT(message, HasSubstr("images.jsonl:3: prompt 'c'"));
  EXPECT_THAT(message, HasSubstr("texts.jsonl:1: prompt 'a': its source_image"));
  EXPECT_THAT(message, HasSubstr("heldout.jsonl:1: prompt 'q'"));
  EXPECT_THAT(message, HasSubstr("none.jsonl"));
  EXPECT_THAT(message, Not(HasSubstr("good.jsonl")));
}

}  // namespace
}  // namespace lvrpo
