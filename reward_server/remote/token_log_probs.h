#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// One of the tokens that an answer might have begun with.
struct TokenLogProb {
  std::string text;  // as the endpoint gives it; may not be UTF-8
  // At most 0, minus infinity for a token that cannot come; nullopt: what stands there is no log-probability.
  std::optional<double> log_prob;
  std::string written;  // what stands there, for messages
};

// The tokens of choices[0].logprobs, with their log-probabilities, in the order given:
//   {"content": [{"top_logprobs": [{"token": "yes", "logprob": -0.2, "bytes": [121, ...]}, ...]}]}
//   {"content": [{"top_logprobs": {"yes": -0.2, ...}}]}
//   {"top_logprobs": [{"yes": -0.2, ...}]}, as completions had it before
// A token that names its number ("token_id:9693") or is no string is read from its "bytes"; an entry that
// says in neither way what it is about is left out, and so is one that comes twice. Internal, in one clause:
// there are none.
absl::StatusOr<std::vector<TokenLogProb>> ReadTokenLogProbs(const nlohmann::json& reply);

}  // namespace lvrpo
