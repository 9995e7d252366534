#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

constexpr double kMostExactWhole = 9007199254740992.0;  // 2^53

struct JsonBounds {
  size_t bytes = 0;
  int64_t values = 0;        // numbers, strings, lists, objects, keys, all counted
  int depth = 0;             // nesting of lists and objects; bounds the stack of recursive visitors
  bool unique_keys = false;  // a key given twice in one object is refused
};

// Parses JSON text within the bounds, which are checked before memory is allocated. Strings that hold U+0000
// are refused, as C strings would end there. Whole numbers come as int64_t however they are written (2.0,
// 2e0), all others as double, so that equal numbers have equal values: a double beyond kMostExactWhole is a
// whole number, of any number of digits, of which a double keeps the first 16. (A fraction after so many
// digits is lost.) Of duplicate members the last is kept, unless the bounds refuse
// them. InvalidArgument: one clause, such as "it is not
// JSON at byte 7"; bytes are counted with numbers of more than 300 digits shortened.
absl::StatusOr<nlohmann::json> ParseBoundedJson(absl::string_view text, const JsonBounds& bounds);

// How many values it holds, itself and keys included.
int64_t CountValues(const nlohmann::json& value);

}  // namespace lvrpo
