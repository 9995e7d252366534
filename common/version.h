#pragma once

namespace lvrpo {

inline constexpr char kVersion[] = "0.1.0";
// Incremented when run folders of an older program can no longer be read.
inline constexpr int kRunFormat = 2;

}  // namespace lvrpo
