#pragma once

#include <cstddef>
#include <vector>

#include "verifiers/number_tokens/number_tokens.h"

// Words around a number with which it is not the answer: it is denied ("is not 5", "5 is wrong"), or only a
// bound ("at most 5", "exceeds 5", "5 or more"). Pure functions; they look at a bounded number of tokens.
namespace lvrpo::numbers {

// By the words that end before tokens[end].
bool DeniedBefore(const std::vector<Token>& tokens, size_t end);
// By the words that begin at tokens[begin].
bool DeniedAfter(const std::vector<Token>& tokens, size_t begin);
// By a sentence that says no more than that, after the one that goes on at tokens[begin]: "5? No.", "5. That
// is wrong.".
bool TakenBackAfter(const std::vector<Token>& tokens, size_t begin);

}  // namespace lvrpo::numbers
