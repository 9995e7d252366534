#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// The members of a tokenizer.json's component "Metaspace", pre-tokenizer or decoder: spaces are written as
// another character, one of which is put in front of the text, as SentencePiece does.
struct Metaspace {
  enum class Prepend { kAlways, kFirst, kNever };  // kFirst: only where the text begins

  std::string replacement = "\u2581";  // one character
  Prepend prepend = Prepend::kAlways;
  bool split = true;  // cut in front of each replacement

  // Older files say add_prefix_space instead of prepend_scheme.
  static absl::StatusOr<Metaspace> FromJson(const nlohmann::json& spec, const std::string& where);
};

}  // namespace lvrpo
