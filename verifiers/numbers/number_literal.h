#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "verifiers/numbers/number_tokens.h"

// Digits with what groups and points them: "1,234.5", "1 234 567", "1'234", "3,14", ".5", "3.e2".
namespace lvrpo::numbers {

struct Literal {
  bool found = false;   // digits, or a point and digits, are there
  bool valid = false;   // they are one number; "1,23,456", "1.2.3" and "12:30" are none
  bool whole = false;   // nothing but digits and groups
  std::string decimal;  // with a point, as C++ reads it
  size_t end = 0;       // the token after all digits that hang together
};

Literal ReadLiteral(const std::vector<Token>& tokens, size_t at);

}  // namespace lvrpo::numbers
