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

// Normalised text during splitting into words: pieces of well-formed UTF-8 in order, none of them empty.
struct TextPieces {
  std::vector<std::string> pieces;
  bool first_begins_text = false;  // nothing precedes pieces[0], not even an added token
};

// The component "pre_tokenizer" of a tokenizer.json, which splits normalised text into words for BPE: Split,
// ByteLevel, Metaspace, Whitespace, WhitespaceSplit, Digits, Punctuation, Sequence. Immutable; thread-safe.
class TextSplitter {
 public:
  virtual ~TextSplitter() = default;
  // Splits each piece in place. ResourceExhausted: the pieces became longer than twice kMaxTextBytes, or a
  // regular expression takes too many steps.
  virtual absl::Status Split(TextPieces* text) const = 0;

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
