#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// Reads a prompt file: JSONL, one PromptRecord a line, empty lines skipped. Checks each record: id present
// and unique, task and text set, TEXT has source_image and answer. Errors name file:line.
absl::StatusOr<std::vector<v1::PromptRecord>> ReadPromptFile(const std::string& path);

absl::Status WritePromptFile(const std::string& path, const std::vector<v1::PromptRecord>& records);

// Where the source image of a record from `prompt_file` lies.
std::string SourceImagePath(const std::string& prompt_file, const v1::PromptRecord& record);

}  // namespace lvrpo
