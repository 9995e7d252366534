#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

constexpr size_t kMaxDecodedBytes = size_t{16} << 20;

// The component "decoder" of a tokenizer.json, which turns tokens into text again: ByteLevel, ByteFallback,
// Metaspace, Replace, Strip, Fuse, Sequence. Immutable; thread-safe.
class TokenDecoder {
 public:
  virtual ~TokenDecoder() = default;
  // Well-formed UTF-8; the text is what comes out, joined. ResourceExhausted: longer than kMaxDecodedBytes.
  virtual absl::StatusOr<std::vector<std::string>> Decode(std::vector<std::string> tokens) const = 0;

  // Null for null. Unimplemented names a type that is not supported, InvalidArgument what is malformed.
  static absl::StatusOr<std::unique_ptr<const TokenDecoder>> FromJson(const nlohmann::json& spec,
                                                                      const std::string& where);
  static std::unique_ptr<const TokenDecoder> ByteLevel();
  // CLIP's: bytes, in which </w> ends a word; words are parted by spaces.
  static std::unique_ptr<const TokenDecoder> Clip();
};

}  // namespace lvrpo
