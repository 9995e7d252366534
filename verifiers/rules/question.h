#pragma once

#include "absl/status/status.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// Whether each question of a prompt can be scored: it has a text, two choices or more, none empty and no two
// that compare equal (verifiers/answers/folded.h), and its answer equals one of them exactly. InvalidArgument
// names the prompt, the question and what is wrong.
absl::Status CheckQuestions(const v1::PromptRecord& prompt);

}  // namespace lvrpo
