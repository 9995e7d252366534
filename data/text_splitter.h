#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// The component "pre_tokenizer" of a tokenizer.json, which cuts normalised text into the words that BPE then
// works on: Split, ByteLevel, Sequence. Immutable; thread-safe.
class TextSplitter {
 public:
  virtual ~TextSplitter() = default;
  // Replaces each piece of well-formed UTF-8 by what it is cut into, in order; none is empty.
  // ResourceExhausted: the pieces became longer than twice kMaxTextBytes.
  virtual absl::Status Split(std::vector<std::string>* pieces) const = 0;

  // Null for null. Unimplemented names a type, behaviour or regular expression that is not supported,
  // InvalidArgument what is malformed.
  static absl::StatusOr<std::unique_ptr<const TextSplitter>> FromJson(const nlohmann::json& spec,
                                                                      const std::string& where);
  // Qwen2's pattern, then bytes.
  static std::unique_ptr<const TextSplitter> Qwen2();
  // The matches of CLIP's pattern, cut again by GPT-2's, then bytes.
  static std::unique_ptr<const TextSplitter> Clip();
};

// GPT-2's alphabet: each byte as one printable character of U+0021 ... U+0143.
const std::array<std::string, 256>& ByteLevelAlphabet();
// The byte that a character of the alphabet stands for.
std::optional<unsigned char> ByteOfByteLevel(char32_t character);

}  // namespace lvrpo
