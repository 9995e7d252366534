#pragma once

#include <string>

namespace lvrpo {

// Which products this process uses, "own/avx512/AVX512": whose GEMM ("own" or "torch"), the instruction set
// of our kernels and that of LibTorch's. Processes of the same name compute the same bits from the same
// inputs.
std::string CpuProductName();

}  // namespace lvrpo
