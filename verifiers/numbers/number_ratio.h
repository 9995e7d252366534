#pragma once

#include <cstddef>
#include <vector>

#include "verifiers/number_tokens/number_tokens.h"

// Ratios in words: "3 out of 10", "5 parts per million", "10 op de 3". Neither of their numbers is the
// answer. Pure functions; they look at a bounded number of tokens.
namespace lvrpo::numbers {

// Whether words that begin at tokens[begin], right after a number, make it one of a ratio. "5 of the 10" says
// which 5 and is none.
bool IsRatioAfter(const std::vector<Token>& tokens, size_t begin);

// Whether the words before the number at tokens[end], after the number that ends before tokens[last] or after
// a number word, make it the other one.
bool IsRatioBefore(const std::vector<Token>& tokens, size_t last, size_t end);

}  // namespace lvrpo::numbers
