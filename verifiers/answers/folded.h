#pragma once

#include <string>

#include "absl/strings/string_view.h"

// How answers, written texts and choices are compared everywhere. Texts must be well-formed UTF-8; pure
// functions, linear but for runs of combining marks, which are sorted.
namespace lvrpo {

enum class Spaces { kSingle, kNone };
enum class Case { kFold, kKeep };

// Replaces characters by plain ones: normal form KC; the straight ' and " for typographic and corner quotes,
// primes and an accent or backtick between letters, - for every dash and minus, / for the fraction slash;
// nothing for what has no width. What follows a digit stays separate from it: 10^2 for a superscript, 10_2
// for a subscript, 1 1/2 for a fraction; so does a superscript after a letter or bracket: x^2. Accents, case
// and white space (but its kind) stay.
std::string Plain(absl::string_view text);

// The key by which two texts are compared: plain, case folded (or not), each run of white space one blank and
// none at the ends (or no white space at all).
std::string Folded(absl::string_view text, Spaces spaces, Case letters = Case::kFold);

}  // namespace lvrpo
