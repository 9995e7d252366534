#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// Numbers as people and LaTeX write them:
//   12  -2  .5  1.5e3  1,234.5  1{,}234  3/4  1 3/4  \frac{3}{4}  1\frac{3}{4}  1.5 x 10^3  1.5\times10^{-3}
// The minus may be U+2212, and a currency sign may stand behind it ("-$5"). A minus behind a letter, a digit
// or a closing bracket is a dash or an operation ("10-20", "x-2"), not a sign. A comma is always a thousands
// separator, never a decimal point. Digits that belong to a name ("H2O", "x_1") are no numbers, nor is what
// overflows a double. Texts must be well-formed UTF-8; all functions are pure and make one pass.
namespace lvrpo {

struct NumberInText {
  double value = 0;  // finite; of "12 %" it is 12
  bool percent = false;
  size_t begin = 0, end = 0;  // bytes, without sign and currency before, without the percent sign behind
};

// The first number that begins at or behind text[from].
std::optional<NumberInText> NextNumber(absl::string_view text, size_t from);
std::optional<NumberInText> LastNumber(absl::string_view text);

// The content of the last \boxed{...} whose braces are closed.
std::optional<absl::string_view> LastBoxed(absl::string_view text);

}  // namespace lvrpo
