#pragma once

#include "absl/status/status.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// What makes a record one that a run can train on, as far as no model has to be asked: its task, its rules
// and questions, and that the run's rewards can score it. InvalidArgument names the prompt and what is wrong.
absl::Status CheckTrainingPrompt(const v1::PromptRecord& record, v1::TaskKind task,
                                 const v1::RewardConfig& reward);

// Reads all prompt files that a configuration names and checks their records without a model: training
// prompts as above, and that their source images are there; the questions of held-out ones. InvalidArgument
// holds every wrong line of every file.
absl::Status CheckPromptFiles(const v1::RunConfig& config);

}  // namespace lvrpo
