#include "verifiers/rules/prompt_files.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/filesystem.h"
#include "data/prompts/prompts.h"
#include "verifiers/rules/question.h"
#include "verifiers/rules/rules.h"
#include "verifiers/rules/scorable.h"

namespace lvrpo {
namespace {

absl::Status CheckSourceImage(const std::string& file, const v1::PromptRecord& record) {
  if (record.source_image().empty()) return absl::OkStatus();
  const std::string path = SourceImagePath(file, record);
  const absl::StatusOr<PathKind> kind = KindOf(path);
  if (!kind.ok() || *kind != PathKind::kMissing) return absl::OkStatus();  // who reads it says more
  return absl::InvalidArgumentError(
      absl::StrCat("prompt '", record.id(), "': its source_image ", path, " is not there"));
}

}  // namespace

absl::Status CheckTrainingPrompt(const v1::PromptRecord& record, v1::TaskKind task,
                                 const v1::RewardConfig& reward) {
  if (absl::Status status = CheckPromptTask(record, task); !status.ok()) return status;
  if (absl::Status status = CheckPromptRules(record); !status.ok()) return status;
  if (absl::Status status = CheckQuestions(record); !status.ok()) return status;
  return CheckScorable(record, reward);
}

absl::Status CheckPromptFiles(const v1::RunConfig& config) {
  std::vector<std::string> problems;  // of all files
  const auto read = [&](const std::string& path, const PromptCheck& check) {
    if (path.empty()) return;
    if (const absl::Status status = ReadPromptFile(path, check).status(); !status.ok())
      problems.emplace_back(status.message());
  };
  const auto read_training = [&](const auto& paths, v1::TaskKind task) {
    for (const std::string& path : paths) {
      read(path, [&](const v1::PromptRecord& record) {
        const absl::Status status = CheckTrainingPrompt(record, task, config.reward());
        return status.ok() ? CheckSourceImage(path, record) : status;
      });
    }
  };
  read_training(config.data().image_prompts(), v1::TASK_KIND_IMAGE);
  read_training(config.data().text_prompts(), v1::TASK_KIND_TEXT);
  read(config.data().heldout_image_prompts(), CheckQuestions);
  read(config.data().heldout_text_prompts(), CheckQuestions);
  return problems.empty() ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
}

}  // namespace lvrpo
