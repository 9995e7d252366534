#pragma once

#include <string>

#include "absl/strings/string_view.h"

// The one way in which answers, written texts and choices are compared. Texts must be well-formed UTF-8; pure
// functions, linear but for runs of combining marks, which are sorted.
namespace lvrpo {

enum class Spaces { kSingle, kNone };
enum class Case { kFold, kKeep };

// The same text in plain characters: normal form KC; the straight ' and " for typographic quotes and primes,
// - for every dash and minus, / for the fraction slash; nothing for what has no width. What stands after a
// digit stays apart from it: 10^2 for a superscript, 10_2 for a subscript, 1 1/2 for a fraction. Accents,
// case and white space (but its kind) stay.
std::string Plain(absl::string_view text);

// What two texts are compared by: plain, case folded (or not), each run of white space one blank and none at
// the ends (or no white space at all).
std::string Folded(absl::string_view text, Spaces spaces, Case letters = Case::kFold);

}  // namespace lvrpo
