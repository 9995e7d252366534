#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// A schema that is safe to hand to a validator: references replaced by what they refer to, annotations
// removed, every keyword known and well-formed. Its size bounds the validator's work per value of the answer.
struct PlainSchema {
  nlohmann::json schema;
  int64_t parts = 0;          // subschemas, at most 500
  bool unique_items = false;  // compares every pair of a list
};

// A JSON Schema of draft 7. InvalidArgument says what is wrong, where (a JSON pointer) and what to do for
//   - what is not JSON, has more than 64 KiB or is nested deeper than 32 levels, references followed;
//   - a $ref outside of the schema, to itself, or next to other keywords (draft 7 would ignore them);
//   - pattern and patternProperties: the validator's engine (std::regex) can take exponential time, and its
//     recursion overflows the stack on long strings; a regex rule takes their place;
//   - format: it says nothing that is checked everywhere, and uses the same engine;
//   - keywords that draft 7 does not know. It would ignore them, and a misspelt one would check nothing.
absl::StatusOr<PlainSchema> ReadSchema(absl::string_view text);

}  // namespace lvrpo
