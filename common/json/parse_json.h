#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// The one value in `text`; a leading byte order mark is skipped. InvalidArgument says, in one line of UTF-8,
// where and why it is not JSON: "not JSON at line 3, column 14: NaN is no JSON value, near '"eps": NaN'".
// Lines and columns (bytes) are counted from 1; the line is left out of a text that has one. A key given
// twice in one object, of which parsers silently keep one, is refused: "JSON in which "eps" is given twice".
absl::StatusOr<nlohmann::json> ParseJson(absl::string_view text);

}  // namespace lvrpo
