#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "verifiers/number_tokens/number_tokens.h"

// Exponents and powers of ten. *exponent is as C++ reads it: "-3"; *power has an "e" in front. *end is the
// token after them. Pure functions; each reads a bounded number of tokens.
namespace lvrpo::numbers {

// "^2", "^{-2}": whole exponents of ten and of units.
bool ReadExponent(const std::vector<Token>& tokens, size_t at, std::string* exponent, size_t* end);
// The token after "10" or "{10}" at tokens[at]; `at` if it is not there.
size_t TenEnd(const std::vector<Token>& tokens, size_t at);
// At *end: "e3", "\mathrm{e}{-3}" right after digits, or after a blank.
bool ReadScientific(const std::vector<Token>& tokens, size_t* end, std::string* power);
// At *end: "x 10^3".
bool ReadTimesTen(const std::vector<Token>& tokens, size_t* end, std::string* power);

}  // namespace lvrpo::numbers
