#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// The one value in `text`, a byte order mark in front passed over. InvalidArgument says, in one line of
// UTF-8, where and why it is none: "not JSON at line 3, column 14: NaN is no JSON value, near '"eps": NaN'".
// Lines and columns (bytes) are counted from 1; the line is left out of a text that has one.
absl::StatusOr<nlohmann::json> ParseJson(absl::string_view text);

// A key that one of the objects in `text` has twice, of which parsers keep one without a word; "" when there
// is none, or `text` is no JSON.
std::string RepeatedKey(absl::string_view text);

}  // namespace lvrpo
