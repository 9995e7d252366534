#pragma once

#include <cstdint>
#include <string>

namespace lvrpo {

// Numbers that nobody can guess, from the kernel's generator: incarnations, leases, tokens of processes.
uint64_t UnguessableNumber();

// The same as 16 hexadecimal digits.
std::string UnguessableToken();

}  // namespace lvrpo
