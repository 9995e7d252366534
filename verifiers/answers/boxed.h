#pragma once

#include <optional>

#include "absl/strings/string_view.h"

namespace lvrpo {

// The content of the last \boxed{...} or \fbox{...} whose braces are closed; also "\boxed 5", whose content
// is the word after it. One pass.
std::optional<absl::string_view> LastBoxed(absl::string_view text);

}  // namespace lvrpo
