#pragma once

#include <string>

#include "absl/status/status.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

// Validates a request before it is used: sizes, names, numbers. Its contents end up in logs, in the database
// and in answers to other members.
namespace lvrpo {

// InvalidArgument names the field. Names are 1 to 128 of letters, digits, '.', '_' and '-'; addresses
// host:port; the contract has at most 64 terms of at most 256 bytes.
absl::Status CheckRegister(const v1::RegisterRequest& request);
absl::Status CheckVersion(const v1::PolicyVersion& version);
absl::Status CheckSubmit(const v1::SubmitGroupRequest& request);
absl::Status CheckCommit(const v1::CommitStepRequest& request);
absl::Status CheckLostGroups(const v1::ReportLostGroupsRequest& request);
// The path is one folder below checkpoints/.
absl::Status CheckCheckpoint(const v1::RecordCheckpointRequest& request);
// Figures are finite and possible; there is a score.
absl::Status CheckEvaluation(const v1::EvaluationRecord& evaluation);

// Free text as it is stored: one line of bounded length (common/files/file_kind.h).
std::string Tidy(const std::string& text);
// The same for the texts of a group, which come from prompt files and scorers: they are cut, not refused.
void TidyTexts(v1::SubmitGroupRequest* request);

}  // namespace lvrpo
