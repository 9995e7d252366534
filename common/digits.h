#pragma once

#include <charconv>
#include <string>

namespace lvrpo {

// The shortest decimal text that parses back to the same number, at the argument's precision: 1.0000001 is
// not written as 1.
template <typename Number>
std::string Digits(Number value) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof(text), value).ptr);
}

}  // namespace lvrpo
