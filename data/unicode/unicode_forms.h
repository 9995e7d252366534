#pragma once

#include <string>

#include "absl/strings/string_view.h"

// Compatibility forms and case folding, by the tables of libutf8proc. unicode.h has the forms C and D.
// Well-formed UTF-8 in and out; pure functions; linear but for runs of combining marks, which are sorted.
namespace lvrpo::unicode {

// Normalisation form KC: full-width letters, ligatures, superscripts, circled digits, ... become plain ones.
std::string ToNfkc(absl::string_view text);

// Forms KC and KD of Unicode 9.0, which the Python package `tokenizers` has: later characters stay as they
// are.
std::string ToNfkcOfTokenizers(absl::string_view text);
std::string ToNfkdOfTokenizers(absl::string_view text);

// Full case folding: what differs in case alone becomes the same, "SS" and the sharp s, the two small sigmas.
// Not normalised.
std::string CaseFold(absl::string_view text);

// Whether it is one of Unicode's default ignorable code points, which show nothing where they are not known:
// zero-width blanks and joiners, the soft hyphen, variation selectors, marks of direction, tags.
bool IsIgnorable(char32_t c);

}  // namespace lvrpo::unicode
