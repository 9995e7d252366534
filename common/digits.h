#pragma once

#include <charconv>
#include <string>

namespace lvrpo {

// A number with the fewest digits that give it back: 1.0000001 does not read as 1. Of a float, those of a
// float.
template <typename Number>
std::string Digits(Number value) {
  char text[64];
  return std::string(text, std::to_chars(text, text + sizeof(text), value).ptr);
}

}  // namespace lvrpo
