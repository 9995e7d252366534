#pragma once

#include "absl/status/status.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// Most objects that the constraints of one prompt may ask for: the verifier searches all assignments of
// objects to what was asked.
inline constexpr int kMostAskedObjects = 8;

// Whether the components of a run can ever score an answer to the prompt, judging by the prompt and the
// settings: some component with a weight applies to it, and each that applies can judge it. InvalidArgument
// names the prompt, what is missing and what to do. Groups of a prompt that fails here could never be trained
// on. Expects CheckPromptRules to hold.
absl::Status CheckScorable(const v1::PromptRecord& prompt, const v1::RewardConfig& reward);

}  // namespace lvrpo
