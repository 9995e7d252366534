#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// A candidate for the answer's first token.
struct TokenLogProb {
  std::string text;  // as the endpoint returns it; may not be UTF-8
  // At most 0, minus infinity for an impossible token; nullopt: the value is not a log-probability.
  std::optional<double> log_prob;
  std::string written;  // the raw value, for messages
};

// The tokens of choices[0].logprobs, with their log-probabilities, in the order given:
//   {"content": [{"top_logprobs": [{"token": "yes", "logprob": -0.2, "bytes": [121, ...]}, ...]}]}
//   {"content": [{"top_logprobs": {"yes": -0.2, ...}}]}
//   {"top_logprobs": [{"yes": -0.2, ...}]}, as in the older completions API
// A token given by its id ("token_id:9693") or not as a string is read from its "bytes"; an entry with
// neither is skipped, and so is a duplicate. DataLoss, in one clause: there are none.
absl::StatusOr<std::vector<TokenLogProb>> ReadTokenLogProbs(const nlohmann::json& reply);

}  // namespace lvrpo
