#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace lvrpo {

// The text with HTML's characters in place of their names: "&minus;5", "&#8722;5", "&#x2212;5". A name that
// is not known stands for a sign of mathematics. Well-formed UTF-8 in and out; pure, one pass.
std::string WithoutEntities(absl::string_view text);

}  // namespace lvrpo
