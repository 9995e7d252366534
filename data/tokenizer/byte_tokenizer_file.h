#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace lvrpo {

// Ids of the tokens in the files below: 0 .. 255 are the bytes, the special tokens follow.
struct ByteTokenizerIds {
  static constexpr int32_t kEndOfText = 256, kStart = 257, kEnd = 258, kVisionStart = 259, kVisionEnd = 260;
  static constexpr int32_t kCount = 261;
};

// Writes tokenizer.json and tokenizer_config.json of the smallest tokenizer in Qwen2's form: byte-level BPE
// without merges, so that every byte of a text is a token, and BAGEL's special tokens. For model folders
// without a tokenizer.
absl::Status WriteByteTokenizer(const std::string& folder);

}  // namespace lvrpo
