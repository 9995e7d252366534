#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// Bounds on every record, including those received by RPC: counts of 1 to 64, at most 64 objects, relations,
// key phrases, questions and choices of a question, relations of a known name between listed objects.
// InvalidArgument, in one line, names the prompt and what is wrong.
absl::Status CheckPromptBounds(const v1::PromptRecord& record);

// Whether the record is of this task. InvalidArgument names the prompt and both.
absl::Status CheckPromptTask(const v1::PromptRecord& record, v1::TaskKind task);

// Parses one record from JSON, unchecked. InvalidArgument gives the parser's error in one line.
absl::StatusOr<v1::PromptRecord> PromptFromJson(absl::string_view json);

// An additional check of the caller's: a status whose message names the prompt. Called once for each record
// that passed the other checks, in order.
using PromptCheck = std::function<absl::Status(const v1::PromptRecord& record)>;

// Reads a prompt file: JSONL in UTF-8 (a byte order mark is skipped), one PromptRecord a line, empty lines
// skipped. Checks each record: its id is there, no other record's, at most 4096 bytes and without control
// characters; task and text set; TEXT has source_image, and answer or rules; no key phrase is empty; bounds
// as above; and what `also` says.
//
// InvalidArgument holds every line that is wrong, "path:line: what" each (data/prompts/line_errors.h), or
// says that the file holds no records or is of another kind. Errors of ReadFile.
absl::StatusOr<std::vector<v1::PromptRecord>> ReadPromptFile(const std::string& path,
                                                             const PromptCheck& also = {});

absl::Status WritePromptFile(const std::string& path, const std::vector<v1::PromptRecord>& records);

// The size in which the image of a record is sampled: its constraints' width and height, rollout.image_size
// where they say nothing.
ImageSize ImageSizeOf(const v1::PromptRecord& record, const v1::RolloutConfig& rollout);

// The path of the source image of a record from `prompt_file`.
std::string SourceImagePath(const std::string& prompt_file, const v1::PromptRecord& record);

}  // namespace lvrpo
