#pragma once

#include <string>

namespace lvrpo {

// Folder of the running binary.
std::string BinaryFolder();

}  // namespace lvrpo
