#pragma once

#include <cstdint>
#include <string>

namespace lvrpo {

struct DiskFacts {
  int64_t free_bytes = 0;  // for this user
  int64_t files = 0, free_files = 0;
  bool read_only = false;
};

// Why it cannot be written: "full", "out of file entries", "read-only"; empty: it can. Pure.
std::string DiskProblem(const DiskFacts& facts);

// "the disk of PATH is full", or empty; also empty when its state is unknown.
std::string DiskProblemOf(const std::string& path);

}  // namespace lvrpo
