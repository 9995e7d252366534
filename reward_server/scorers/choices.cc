#include "reward_server/scorers/choices.h"

#include <algorithm>

namespace lvrpo {

absl::StatusOr<Choices> ReadChoices(const Tokenizer& tokenizer, const v1::Question& question) {
  Choices choices;
  for (int c = 0; c < question.choices_size(); ++c) {
    const absl::StatusOr<std::vector<int32_t>> ids = tokenizer.Encode(question.choices(c));
    if (!ids.ok()) return ids.status();
    if (ids->empty()) return absl::InvalidArgumentError("a choice is empty");
    choices.ids.emplace_back(ids->begin(), ids->end());
    choices.longest = std::max(choices.longest, ids->size());
    if (question.choices(c) == question.answer()) choices.right = c;
  }
  if (choices.right < 0) return absl::InvalidArgumentError("its answer is not among its choices");
  return choices;
}

}  // namespace lvrpo
