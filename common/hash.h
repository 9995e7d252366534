#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace lvrpo {

// Incremental SHA-256 (OpenSSL's). Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void Update(const void* data, size_t size);
  void Update(absl::string_view bytes) { Update(bytes.data(), bytes.size()); }
  // Lower-case hex; call once, last.
  std::string FinishHex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string Sha256Hex(absl::string_view bytes);

// zlib's CRC-32.
uint32_t Crc32(absl::string_view bytes);

// A 64-bit mix of the bytes (first 8 bytes of SHA-256): a stable hash for keyed choices.
uint64_t StableHash64(absl::string_view bytes);

}  // namespace lvrpo
