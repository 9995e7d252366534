#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

// A fuzz target is one function: it passes untrusted bytes to code that must refuse them with a message, and
// must not crash, read out of bounds, or hang. The same function runs in two programs: under libFuzzer, which
// looks for such bytes (`make fuzz`), and in replay.cc, which runs the corpus in `make test`.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace lvrpo::fuzz {

inline absl::string_view Bytes(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// A file in memory that holds the bytes, for readers that want a path.
class MemoryFile {
 public:
  explicit MemoryFile(absl::string_view bytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  std::string path() const;

 private:
  int descriptor_;
};

}  // namespace lvrpo::fuzz
