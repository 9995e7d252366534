#pragma once

#include <optional>

#include "absl/strings/string_view.h"

namespace lvrpo {

// A box in a text.
struct Boxed {
  absl::string_view content, before, after;
};

// The last \boxed{...} or \fbox{...} whose braces are closed; also "\boxed 5", whose content is the word
// after it. One pass.
std::optional<Boxed> LastBoxed(absl::string_view text);

}  // namespace lvrpo
