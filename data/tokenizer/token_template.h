#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// The component "post_processor" of a tokenizer.json for a single text: which special tokens surround its
// ids. TemplateProcessing, RobertaProcessing, BertProcessing, Sequence; ByteLevel adds none.
struct TokenTemplate {
  std::vector<int32_t> before, after;

  size_t count() const { return before.size() + after.size(); }

  // Nothing for null. Unimplemented names a type that is not supported; InvalidArgument: what is malformed, a
  // template that does not hold the text exactly once, or an id that is not 0 ... vocabulary_size - 1.
  static absl::StatusOr<TokenTemplate> FromJson(const nlohmann::json& spec, int32_t vocabulary_size,
                                                const std::string& where);
};

}  // namespace lvrpo
