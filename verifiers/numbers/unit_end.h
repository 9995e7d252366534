#pragma once

#include <cstddef>
#include <vector>

#include "verifiers/number_tokens/number_tokens.h"

namespace lvrpo::numbers {

// The token after all units that follow each other from tokens[at] on: "kg m/s^2", "°C", "^{th}"; `at` if
// there is none.
size_t UnitEnd(const std::vector<Token>& tokens, size_t at);

}  // namespace lvrpo::numbers
