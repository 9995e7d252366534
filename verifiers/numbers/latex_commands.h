#pragma once

#include "absl/strings/string_view.h"

// The LaTeX commands that matter for reading numbers. Names without the backslash. Pure functions.
namespace lvrpo::numbers {

enum class Command {
  kLetter,       // anything that is not listed: a variable, a function, something unknown
  kIgnored,      // \left, \displaystyle
  kBlank,        // \quad
  kBreak,        // \implies, \item: what follows is another statement
  kTransparent,  // \text{...}, \mathbf{...}: the content counts
  kWords,        // \text{...}: the same, and it is words
  kSkipped,      // \begin{...}: the argument is for the typesetter
  kFraction,     // \frac
  kSymbol,       // see CommandSymbol
};
Command CommandOf(absl::string_view name);
// The symbol of the command, as in number_characters.h: \times, \le, \pi.
char32_t CommandSymbol(absl::string_view name);

}  // namespace lvrpo::numbers
