#pragma once

#include <string>

namespace lvrpo {

// How this process multiplies matrices, in a word: whose product ("own" or "torch"), the instruction set of
// our kernels and that of LibTorch's. Processes of one name get the same bits from the same numbers.
std::string CpuProductName();

}  // namespace lvrpo
