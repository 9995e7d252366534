#pragma once

#include <cstddef>
#include <vector>

#include "verifiers/number_tokens/number_tokens.h"

namespace lvrpo::numbers {

// Whether tokens [begin, end), which follow a number in a box, are units and words that leave it what it is.
// Pure.
bool IsTrail(const std::vector<Token>& tokens, size_t begin, size_t end);

}  // namespace lvrpo::numbers
