#pragma once

#include "absl/status/status.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// Whether each question of a prompt can be answered for a score: it has a text, two choices or more, none
// empty and no two that compare equal (verifiers/answers/folded.h), and its answer is one of them exactly as
// it stands there. InvalidArgument names the prompt, the question and what is wrong.
absl::Status CheckQuestions(const v1::PromptRecord& prompt);

}  // namespace lvrpo
