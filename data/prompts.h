#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// Bounds that hold for every record, also one that came over the wire: counts of 1 to 64, at most 64 objects,
// relations, key phrases, questions and choices of a question, relations of a known name between listed
// objects. InvalidArgument, in one line, names the prompt and what is wrong.
absl::Status CheckPromptBounds(const v1::PromptRecord& record);

// One record out of its JSON, unchecked. InvalidArgument, in one line, says what the parser does not like.
absl::StatusOr<v1::PromptRecord> PromptFromJson(absl::string_view json);

// Reads a prompt file: JSONL, one PromptRecord a line, empty lines skipped. Checks each record: id present
// and unique, task and text set, TEXT has source_image, and answer or rules, bounds as above. Errors are one
// line and name file:line.
absl::StatusOr<std::vector<v1::PromptRecord>> ReadPromptFile(const std::string& path);

absl::Status WritePromptFile(const std::string& path, const std::vector<v1::PromptRecord>& records);

// Where the source image of a record from `prompt_file` lies.
std::string SourceImagePath(const std::string& prompt_file, const v1::PromptRecord& record);

}  // namespace lvrpo
