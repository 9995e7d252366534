#pragma once

#include <cstddef>
#include <vector>

#include "verifiers/number_tokens/number_tokens.h"
#include "verifiers/numbers/number_passage.h"

// Left sides of equations: is it the name of the value on the right, or an expression of which that is the
// value? Pure functions.
namespace lvrpo::numbers {

// Whether the left side of the equation whose sign is at `equals` is more than a name: "2x =", "log x =".
// Where the value on the right has a unit, the letters after numbers on the left are units too.
bool IsTransformed(const Passage& passage, size_t equals, const Quantity& value);

// Whether tokens [begin, end) are no more than a name: x, x_1, AB, f(2), \theta, \text{Area}, \angle ABC,
// |AB|.
bool IsName(const std::vector<Token>& tokens, size_t begin, size_t end);

// The first token of a name that ends before `end` and is written as a square, of a figure that has no other:
// "R^2" and "r^2" up to 1, "R-squared", chi and eta squared. `end` if there is none.
size_t SquaredNameBegin(const std::vector<Token>& tokens, size_t end, const Quantity& value);

// Whether tokens [begin, end) have numbers and no unknown: "2+3", "\sqrt{16}", with units if the value has
// one.
bool IsArithmetic(const std::vector<Token>& tokens, size_t begin, size_t end, const Quantity& value);

}  // namespace lvrpo::numbers
