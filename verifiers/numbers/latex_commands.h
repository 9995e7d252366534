#pragma once

#include "absl/strings/string_view.h"

// LaTeX's commands as far as they matter to the reader of a number. Names come without the backslash. Pure
// functions.
namespace lvrpo::numbers {

enum class Command {
  kLetter,       // anything that is not listed: a variable, a function, something unknown
  kIgnored,      // \left, \displaystyle
  kBlank,        // \quad
  kBreak,        // \implies, \item: what stands after is another statement
  kTransparent,  // \text{...}, \mathbf{...}: the content counts
  kWords,        // \text{...}: the same, and it is words
  kSkipped,      // \begin{...}: the argument is for the typesetter
  kFraction,     // \frac
  kSymbol,       // see CommandSymbol
};
Command CommandOf(absl::string_view name);
// What the command shows, as number_characters.h has it: \times, \le, \pi.
char32_t CommandSymbol(absl::string_view name);

}  // namespace lvrpo::numbers
