#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "verifiers/number_tokens/number_tokens.h"

// Digits with group separators and decimal point: "1,234.5", "1 234 567", "1'234", "3,14", ".5", "3.e2".
namespace lvrpo::numbers {

struct Literal {
  bool found = false;   // digits, or a point and digits, were found
  bool valid = false;   // well-formed; "1,23,456", "1.2.3" and "12:30" are not
  bool whole = false;   // nothing but digits and groups
  std::string decimal;  // with a point, as C++ reads it
  size_t end = 0;       // the token after the run of digits
};

Literal ReadLiteral(const std::vector<Token>& tokens, size_t at);

}  // namespace lvrpo::numbers
