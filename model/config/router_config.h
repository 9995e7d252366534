#pragma once

#include <cstdint>
#include <string>

namespace lvrpo {

// The two kinds of tokens of a unified model.
enum class TokenKind { kUnderstanding = 0, kLatent = 1 };

// How a token is routed to its MLP weights. By default hard, as BAGEL is published: by its kind. With top_k
// (paper, App. A) a learned router chooses among `experts` (model/layers/expert_pool.h).
struct RouterConfig {
  bool top_k = false;
  int64_t experts = 8, experts_per_token = 2;

  // Empty, or what is wrong with the settings. Half of the experts are seeded from each kind's weights, so
  // experts_per_token is at most that.
  std::string Problem() const;
};

}  // namespace lvrpo
