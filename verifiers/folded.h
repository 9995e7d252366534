#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace lvrpo {

enum class Spaces { kSingle, kNone };
enum class Case { kFold, kKeep };

// What two texts are compared by: composed (NFC), in small letters, with each run of white space one blank
// and none at the ends (or with no white space at all). Needs well-formed UTF-8; linear but for runs of
// combining marks, which are sorted.
std::string Folded(absl::string_view text, Spaces spaces, Case letters = Case::kFold);

}  // namespace lvrpo
