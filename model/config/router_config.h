#pragma once

#include <cstdint>
#include <string>

namespace lvrpo {

// The two kinds of tokens of a unified model.
enum class TokenKind { kUnderstanding = 0, kLatent = 1 };

// How a token finds its feed-forward weights. By default hard, as BAGEL is published: by its kind. With
// top_k (paper, App. A) a learned router chooses among `experts` (model/layers/expert_pool.h).
struct RouterConfig {
  bool top_k = false;
  int64_t experts = 8, experts_per_token = 2;

  // Empty, or what is wrong with it. A half of the experts is seeded from each kind's weights, and must be
  // enough for all of a token's choices.
  std::string Problem() const;
};

}  // namespace lvrpo
