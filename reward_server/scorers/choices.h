#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// The choices of a question as token ids.
struct Choices {
  std::vector<std::vector<int64_t>> ids;  // of each choice, in the question's order; none empty
  size_t longest = 0;                     // tokens
  int64_t right = -1;                     // index of the answer
};

// InvalidArgument: a choice is empty or cannot be encoded, or the answer is not among them.
absl::StatusOr<Choices> ReadChoices(const Tokenizer& tokenizer, const v1::Question& question);

}  // namespace lvrpo
