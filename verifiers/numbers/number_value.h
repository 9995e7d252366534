#pragma once

#include <cstddef>
#include <vector>

#include "verifiers/number_tokens/number_tokens.h"

// The digits, fraction and power of ten of a quantity (number_grammar.h).
namespace lvrpo::numbers {

// `bad`: present but malformed. `whole`: nothing but digits and groups.
struct Value {
  bool found = false, bad = false, whole = false;
  double value = 0;
  size_t end = 0;
};

// The number that begins at tokens[at].
Value ReadValue(const std::vector<Token>& tokens, size_t at);

}  // namespace lvrpo::numbers
