#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// The longest text that is tokenized, before and after any step: a file could define steps that expand it
// without bound.
constexpr size_t kMaxTextBytes = size_t{16} << 20;

// The component "normalizer" of a tokenizer.json: NFC, NFD, NFKC, NFKD, Lowercase, Replace, Prepend, Strip,
// Sequence. Immutable; thread-safe.
class TextNormalizer {
 public:
  virtual ~TextNormalizer() = default;
  // Well-formed UTF-8 to well-formed UTF-8. ResourceExhausted: longer than kMaxTextBytes.
  virtual absl::StatusOr<std::string> Normalize(std::string text) const = 0;

  // Null for null. Unimplemented names a type that is not supported, InvalidArgument what is malformed.
  static absl::StatusOr<std::unique_ptr<const TextNormalizer>> FromJson(const nlohmann::json& spec,
                                                                        const std::string& where);
  // Lower-cases in front of `next`, which may be null: what SigLIP 2 does with its file's normalizer.
  static std::unique_ptr<const TextNormalizer> LowercaseFirst(std::unique_ptr<const TextNormalizer> next);
  static std::unique_ptr<const TextNormalizer> Nfc();
  // CLIP's: NFC, a space for each run of white space, lower case.
  static std::unique_ptr<const TextNormalizer> Clip();
};

}  // namespace lvrpo
