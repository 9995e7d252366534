#pragma once

#include <cstdint>
#include <string>

namespace lvrpo {

// Unpredictable numbers from the kernel's generator: incarnations, lease ids, process tokens.
uint64_t UnguessableNumber();

// The same as 16 hexadecimal digits.
std::string UnguessableToken();

}  // namespace lvrpo
